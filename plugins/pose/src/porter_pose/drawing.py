"""Joints drawn over a person, in colours that differ in lightness, too."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE, CANDIDATE = (40, 220, 90), (235, 40, 60)
ROOM = 0.15
"""Around the box, in parts of its longer side."""


def drawn(
    pixels: NDArray[np.uint8],
    reference: Hashable,
    candidate: Hashable,
    box: tuple[float, float, float, float] | None,
) -> NDArray[np.uint8]:
    """The part of `pixels` (uint8 H×W×3) around the box, with a cross for each joint, the candidate's on top."""
    height, width = pixels.shape[:2]
    left, top, wide, high = box or (0.0, 0.0, float(width), float(height))
    room = ROOM * max(wide, high)
    x0, y0 = max(0, int(left - room)), max(0, int(top - room))
    x1, y1 = min(width, int(left + wide + room) + 1), min(height, int(top + high + room) + 1)
    canvas = np.array(pixels[y0:y1, x0:x1], np.uint8)
    arm = max(2, max(canvas.shape[:2]) // 32)
    for answer, colour in ((reference, REFERENCE), (candidate, CANDIDATE)):
        for x, y in answer if isinstance(answer, tuple) else ():
            _cross(canvas, round(x) - x0, round(y) - y0, arm, colour)
    return canvas


def _cross(canvas: NDArray[np.uint8], x: int, y: int, arm: int, colour: tuple[int, int, int]) -> None:
    thin = max(1, arm // 3)
    canvas[max(0, y - thin + 1) : max(0, y + thin), max(0, x - arm) : max(0, x + arm + 1)] = colour
    canvas[max(0, y - arm) : max(0, y + arm + 1), max(0, x - thin + 1) : max(0, x + thin)] = colour
