"""Text detectors with differentiable binarization: a map of how likely each pixel is text, to boxes of its lines.

Liao et al., "Real-time Scene Text Detection with Differentiable Binarization", arXiv 1911.08947. The steps and figures
are those of RapidOCR 1.4 (`ch_ppocr_det/utils.py`), with boxes upright: lines at an angle get the box around them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.3
"""Above it a pixel is text."""
LEAST_SCORE = 0.5
"""Of a line: the mean of its pixels, at the least."""
WIDENED = 1.6
"""How far a line is widened, since the network is trained on shrunk ones: area · this / perimeter pixels."""
LEAST_SIDE = 3
"""Pixels of the shorter side."""


def text_boxes(probabilities: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A map H×W of 0 to 1 to boxes K×4 (x1 y1 x2 y2 in its pixels) and scores K."""
    import cv2

    mask: Any = cv2.dilate((probabilities > THRESHOLD).astype(np.uint8), np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes, scores = [], []
    for contour in contours:
        tilted: Any = cv2.minAreaRect(contour)
        long, short = max(tilted[1]), min(tilted[1])
        if short < LEAST_SIDE:
            continue
        corners = cv2.boxPoints(tilted)
        score = _mean_within(probabilities, corners)
        if score < LEAST_SCORE:
            continue
        distance = long * short * WIDENED / (2 * (long + short))
        wide: Any = cv2.boxPoints((tilted[0], (tilted[1][0] + 2 * distance, tilted[1][1] + 2 * distance), tilted[2]))
        boxes.append([*wide.min(axis=0), *wide.max(axis=0)])
        scores.append(score)
    return np.array(boxes, np.float64).reshape(-1, 4), np.array(scores, np.float64)


def _mean_within(values: NDArray[np.float64], corners: Any) -> float:
    import cv2

    height, width = values.shape
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width - 1, height - 1))
    mask = np.zeros((bottom - top + 1, right - left + 1), np.uint8)
    cv2.fillPoly(mask, [(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(values[top : bottom + 1, left : right + 1], mask)[0])
