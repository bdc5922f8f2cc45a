"""Boxes of one image: what a prediction is, overlap, and non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""Left, top, right, lower edge in pixels of the image; the left edge of its first pixel is 0."""


@dataclass(frozen=True)
class Detected:
    """The boxes found in one image, by decreasing score."""

    boxes: tuple[Box, ...]
    """x1, y1, x2, y2 in pixels of the image."""
    classes: tuple[int, ...]
    """Class index of each."""
    scores: tuple[float, ...]
    """Score of each, as the model gives it."""


def detected(
    boxes: NDArray[np.floating], classes: NDArray[np.integer], scores: NDArray[np.floating], most: int
) -> Detected:
    """K×4 boxes, K classes and K scores as a prediction: the best `most`, of equal scores the earlier first."""
    order = np.argsort(-scores, kind="stable")[:most]
    return Detected(
        tuple(map(tuple, boxes[order].astype(np.float64).tolist())),
        tuple(classes[order].astype(np.int64).tolist()),
        tuple(scores[order].astype(np.float64).tolist()),
    )


def overlaps(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Intersection over union of each box of `one` (K×4) with each of `other` (L×4): float64 K×L, 0 where both are
    empty."""
    a, b = np.asarray(one, np.float64).reshape(-1, 4), np.asarray(other, np.float64).reshape(-1, 4)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    union = (a[:, 2:] - a[:, :2]).prod(axis=1)[:, None] + (b[:, 2:] - b[:, :2]).prod(axis=1)[None] - both
    shared: NDArray[np.float64] = np.divide(both, union, out=np.zeros_like(both), where=union > 0)
    return shared


def suppressed(
    boxes: NDArray[np.floating], classes: NDArray[np.integer], scores: NDArray[np.floating], iou: float, most: int
) -> NDArray[np.int64]:
    """The rows that greedy non-maximum suppression keeps, class by class, the best first, `most` at most.

    boxes K×4, classes K, scores K. A box goes where one of its class with a better score, or of an equal score and an
    earlier row, overlaps it by more than `iou`, as in torchvision's `batched_nms`.
    """
    left = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(left) and len(kept) < most:
        best, rest = left[0], left[1:]
        kept.append(int(best))
        same = classes[rest] == classes[best]
        over = np.zeros(len(rest), dtype=bool)
        over[same] = overlaps(boxes[best], boxes[rest[same]])[0] > iou
        left = rest[~over]
    return np.array(kept, dtype=np.int64)


def paired(one: Detected, other: Detected, iou: float) -> list[tuple[int, int]]:
    """Pairs of a box of each with the same class that overlap by at least `iou`, the closest first, each box once."""
    shared = overlaps(np.array(one.boxes), np.array(other.boxes))
    shared[np.array(one.classes)[:, None] != np.array(other.classes)[None]] = -1
    pairs: list[tuple[int, int]] = []
    rows, columns = set[int](), set[int]()
    for place in np.argsort(-shared, axis=None, kind="stable"):
        row, column = divmod(int(place), shared.shape[1])
        if shared[row, column] < iou:
            break
        if row not in rows and column not in columns:
            pairs.append((row, column))
            rows.add(row)
            columns.add(column)
    return pairs
