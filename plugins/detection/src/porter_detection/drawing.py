"""Boxes drawn over an image, thin and in colours that differ in lightness, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from porter_detection.boxes import Box, Detected
from porter_detection.scorer import labels_as_boxes
from porter_detection.truth import Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL, REFERENCE, CANDIDATE = (255, 255, 255), (40, 220, 90), (235, 40, 60)
THIN = 96
"""Pixels of the longer side for each pixel of a line."""


def drawn(
    pixels: NDArray[np.uint8], truth: Truth, reference: Detected | None, candidate: Detected | None
) -> NDArray[np.uint8]:
    """`pixels` (uint8 H×W×3) with the boxes of the labels, the reference and the candidate, each inside the last."""
    canvas = np.array(pixels, np.uint8)
    width = max(1, max(canvas.shape[:2]) // THIN)
    layers = ((labels_as_boxes(truth), LABEL), (reference, REFERENCE), (candidate, CANDIDATE))
    for depth, (layer, colour) in enumerate(layers):
        _frames(canvas, () if layer is None else layer.boxes, depth * width, width, colour)
    return canvas


def _frames(
    canvas: NDArray[np.uint8], boxes: Iterable[Box], inset: int, width: int, colour: tuple[int, int, int]
) -> None:
    for box in boxes:
        left, top = (round(value) + inset for value in box[:2])
        right, bottom = (round(value) - inset for value in box[2:])
        left, top = max(0, left), max(0, top)
        if right - left < 1 or bottom - top < 1:
            continue
        part = canvas[top:bottom, left:right]
        kept = part[width:-width, width:-width].copy()
        part[:] = colour
        part[width:-width, width:-width] = kept
