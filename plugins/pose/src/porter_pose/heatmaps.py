"""Heatmaps to joints: the authors' decoding, and the flip test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from porter import ModelSpec, PluginError, Session, Source, to_image
from porter_pose.person import Posed

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLIP_PAIRS, FLIP_TEST = "flip pairs", "flip test"
"""Facts of a spec: joints that change places in a mirror, `1-2 3-4`, counted from 0; and `on`, where each sample is
also run mirrored, and the heatmaps are averaged."""


def poses_of(heatmaps: NDArray[np.float32], spec: ModelSpec, sources: Sequence[Source]) -> list[Posed]:
    """The joints of each sample in pixels of its image: float N×K×h×w.

    As the authors do (`lib/core/inference.py`, `get_final_preds`): the largest value of each map, moved by a quarter of
    a pixel towards the larger neighbour, then back through the transform of the box.
    """
    if heatmaps.ndim != 4:
        raise PluginError(f"task pose: the first output has {heatmaps.ndim} axes; heatmaps are N×K×h×w")
    return [_pose(maps, spec, source) for maps, source in zip(heatmaps, sources, strict=True)]


def _pose(maps: NDArray[np.float32], spec: ModelSpec, source: Source) -> Posed:
    joints, height, width = maps.shape
    flat = maps.reshape(joints, -1)
    best, scores = flat.argmax(axis=1), flat.max(axis=1)
    places = np.stack([best % width, best // width], axis=1).astype(np.float64)
    places[scores <= 0] = 0.0
    for joint, (x, y) in enumerate(places.astype(int)):
        if 1 < x < width - 1 and 1 < y < height - 1:
            one = maps[joint]
            places[joint] += 0.25 * np.sign([one[y, x + 1] - one[y, x - 1], one[y + 1, x] - one[y - 1, x]])
    crop = spec.image.crop
    assert source.size is not None  # an image was read
    turn = to_image(spec.image, source.size, source.item.box)
    found = (places * (crop[1] / width, crop[0] / height)) @ turn[:, :2].T + turn[:, 2]
    return Posed(tuple((float(x), float(y)) for x, y in found), tuple(map(float, scores)))


def is_flipped(spec: ModelSpec) -> bool:
    """Whether a model asks for the flip test."""
    return spec.facts.get(FLIP_TEST) == "on"


def flip_pairs(spec: ModelSpec) -> list[tuple[int, int]]:
    """Joints that change places. Raises ValueError where the fact does not say them."""
    pairs = [tuple(map(int, one.split("-"))) for one in spec.facts.get(FLIP_PAIRS, "").split()]
    if any(len(one) != 2 for one in pairs):
        raise ValueError(spec.facts.get(FLIP_PAIRS, ""))
    return [(one[0], one[1]) for one in pairs]


def with_flip(
    session: Session, feeds: Mapping[str, NDArray[np.float32]], spec: ModelSpec
) -> dict[str, NDArray[np.float32]]:
    """The mean of the heatmaps of each sample and of its mirror image, turned back and moved by a pixel, as the
    authors' SHIFT_HEATMAP has it."""
    name, first = spec.inputs[0].name, spec.outputs[0].name
    plain = session.run(feeds)
    mirrored = session.run({**feeds, name: np.ascontiguousarray(feeds[name][..., ::-1])})[first][..., ::-1]
    order = list(range(mirrored.shape[1]))
    for a, b in flip_pairs(spec):
        order[a], order[b] = order[b], order[a]
    turned = mirrored[:, order].copy()
    turned[..., 1:] = turned[..., :-1].copy()
    return {**plain, first: ((plain[first] + turned) * np.float32(0.5)).astype(np.float32)}
