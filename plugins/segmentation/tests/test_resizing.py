"""From outputs to pixels of the image: as PyTorch resizes logits, wherever the preprocessing puts the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from porter import BadInput, Item, PreprocessSpec, Source
from porter_segmentation.resizing import axes_of, classes_by_ids, classes_by_logits, input_size
from porter_segmentation.shapes import SPEC
from porter_segmentation.task import segment

C = 7


def logits(height: int, width: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(C, height, width)).astype(np.float32)


def upsampled(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.int64]:
    """As HRNet's authors evaluate: logits to the size of the label, then the highest."""
    whole = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None], size=size, mode="bilinear", align_corners=False
    )
    return whole[0].argmax(0).numpy()


def sampled(values: NDArray[np.float32], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.int64]:
    """At places 0..1 of the whole input, by PyTorch's `grid_sample`."""
    grid = np.stack(np.meshgrid(2 * x - 1, 2 * y - 1), axis=-1)
    whole = torch.nn.functional.grid_sample(
        torch.from_numpy(values)[None].double(),
        torch.from_numpy(grid)[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return whole[0].argmax(0).numpy()


def alike(one: NDArray[np.generic], other: NDArray[np.generic]) -> bool:
    """But for pixels where two classes are equal to the last digits."""
    return one.shape == other.shape and bool((one == other).mean() > 0.9995)


@pytest.mark.parametrize("size", [(101, 77), (64, 96), (40, 200), (30, 30)])
@pytest.mark.parametrize("declared", [None, PreprocessSpec(resize=64, squash=(64, 96), crop=(64, 96))])
def test_squashed_images_are_the_plain_resize(declared: PreprocessSpec | None, size: tuple[int, int]) -> None:
    values = logits(16, 24)
    assert alike(classes_by_logits(values, axes_of((16, 24), size, declared)), upsampled(values, size))


@pytest.mark.parametrize(("height", "width", "outputs"), [(64, 80, (16, 20)), (50, 70, (64, 96)), (50, 70, (16, 24))])
def test_images_of_their_own_size(height: int, width: int, outputs: tuple[int, int]) -> None:
    """Padded to a multiple of 32 below and on the right: the image is the corner of what comes out."""
    declared = PreprocessSpec(fit="none", multiple=32)
    padded = input_size((height, width), declared)
    assert padded == (64, 96)
    values = logits(*outputs)
    whole = upsampled(values, padded)[:height, :width]
    assert alike(classes_by_logits(values, axes_of(outputs, (height, width), declared)), whole)


@pytest.mark.parametrize("size", [(120, 160), (160, 120), (37, 90), (20, 24)])
@pytest.mark.parametrize("at", ["both", "end"])
def test_letterbox(size: tuple[int, int], at: str) -> None:
    declared = PreprocessSpec(fit="letterbox", crop=(64, 64), pad_at=at)  # type: ignore[arg-type]
    scale = min(64 / size[0], 64 / size[1])
    inner = [round(side * scale) for side in size]
    start = [(64 - side) // 2 if at == "both" else 0 for side in inner]
    y, x = (((np.arange(size[k]) + 0.5) * inner[k] / size[k] + start[k]) / 64 for k in range(2))
    values = logits(16, 16)
    assert alike(classes_by_logits(values, axes_of((16, 16), size, declared)), sampled(values, x, y))


def test_long_side() -> None:
    declared = PreprocessSpec(fit="long_side", resize=64)
    assert input_size((60, 120), declared) == (32, 64)
    values = logits(8, 16)
    assert alike(classes_by_logits(values, axes_of((8, 16), (60, 120), declared)), upsampled(values, (60, 120)))


def test_what_a_crop_leaves_out_is_not_seen() -> None:
    declared = PreprocessSpec(resize=32, crop=(32, 32))
    found = classes_by_logits(logits(8, 8), axes_of((8, 8), (64, 96), declared))
    assert (found[:, :16] == C).all() and (found[:, -16:] == C).all() and (found[:, 16:-16] < C).all()


def test_equal_logits_are_the_lower_class() -> None:
    assert not classes_by_logits(np.zeros((C, 4, 4), np.float32), axes_of((4, 4), (9, 9), None)).any()


def test_class_indices_are_taken_from_the_nearest() -> None:
    ids = np.arange(4).reshape(2, 2)
    assert classes_by_ids(ids, axes_of((2, 2), (4, 4), None), 5).tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [2, 2, 3, 3],
        [2, 2, 3, 3],
    ]


def source() -> Source:
    return Source(item=Item("a.png", "a.png"), size=(128, 128))


def test_logits_and_class_indices_of_any_type_give_the_same() -> None:
    scores = np.random.default_rng(1).normal(size=(1, 5, 128, 128)).astype(np.float32)
    ids = scores.argmax(axis=1)
    for outputs in (scores, ids, ids[:, None], ids.astype(np.float32)[:, None]):
        (found,) = segment({"logits": outputs}, SPEC, [source()])
        assert np.array_equal(found.classes, ids[0])


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (np.zeros((1, 3, 8, 8)), "output 'logits' is N×3×8×8, no N×5×h×w logits"),
        (np.zeros((1, 5)), "output 'logits' is N×5, no N×5×h×w logits"),
        (np.full((1, 8, 8), 0.5), "class indices from 0 to 4, has 0.5"),
        (np.full((1, 8, 8), 5), "class indices from 0 to 4, has 5"),
    ],
)
def test_outputs_of_another_kind_are_one_line(outputs: NDArray[np.generic], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        segment({"logits": outputs}, SPEC, [source()])
