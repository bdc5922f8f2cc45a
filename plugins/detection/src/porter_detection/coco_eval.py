"""pycocotools' COCOeval on boxes in memory, and what it takes to compute its mAP again under other weights."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from porter_detection.boxes import Detected
from porter_detection.truth import Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECALLS = np.linspace(0.0, 1.0, 101)
"""At which precision is read; pycocotools' `Params.recThrs`."""
ALL = 0
"""Place of the area range `all`."""


def coco_eval(
    truths: Sequence[Truth], found: Sequence[Detected | None], classes: int, *, all_only: bool = False
) -> Any:
    """A `COCOeval` of boxes that has evaluated and accumulated, with pycocotools' own settings.

    Images have the numbers 1 to N in the order given, categories 1 to C. `all_only`: without the ranges of area.
    """
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        evaluation = COCOeval(_labelled(truths, classes), _found(found, classes), "bbox")
        if all_only:
            evaluation.params.areaRng = evaluation.params.areaRng[:1]
            evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def mean_precision(evaluation: Any, **which: int) -> float | None:
    """The mean of `COCOeval.eval["precision"]` over what is defined, 0 to 1, at most 100 boxes an image; None: nothing.

    `iou`: place of one threshold; `kind`: one class; `area`: place of a range, by default all areas.
    """
    precision = evaluation.eval["precision"][:, :, :, which.get("area", ALL), -1]
    iou, kind = which.get("iou"), which.get("kind")
    precision = precision if iou is None else precision[iou : iou + 1]
    precision = precision if kind is None else precision[:, :, kind : kind + 1]
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else None


def mean_recall(evaluation: Any) -> float | None:
    """The mean of the largest recalls with at most 100 boxes an image, 0 to 1; None: there is nothing to find."""
    recall = evaluation.eval["recall"][:, :, ALL, -1]
    defined = recall[recall > -1]
    return float(defined.mean()) if defined.size else None


def _labelled(truths: Sequence[Truth], classes: int) -> Any:
    annotations = [
        {
            "image_id": number,
            "category_id": one.kind + 1,
            "bbox": list(one.box),
            "area": one.area,
            "iscrowd": int(one.crowd),
        }
        for number, truth in enumerate(truths, start=1)
        for one in truth.boxes
    ]
    return coco(range(1, len(truths) + 1), annotations, classes)


def _found(found: Sequence[Detected | None], classes: int) -> Any:
    annotations = []
    for number, one in enumerate(found, start=1):
        for box, kind, score in () if one is None else zip(one.boxes, one.classes, one.scores, strict=True):
            wide, high = box[2] - box[0], box[3] - box[1]
            annotations.append(
                {
                    "image_id": number,
                    "category_id": kind + 1,
                    "bbox": [box[0], box[1], wide, high],
                    "score": score,
                    "area": wide * high,
                    "iscrowd": 0,
                }
            )
    return coco(range(1, len(found) + 1), annotations, classes)


def coco(images: Iterable[int], annotations: list[dict[str, Any]], classes: int) -> Any:
    """A `COCO` of images by number, of annotations, which are numbered here, and of categories 1 to C; what `loadRes`
    makes of a file of results has the same fields."""
    from pycocotools.coco import COCO

    made = COCO()
    for number, one in enumerate(annotations, start=1):  # 0 would be taken for no match
        one["id"] = number
    made.dataset = {
        "images": [{"id": number} for number in images],
        "annotations": annotations,
        "categories": [{"id": number} for number in range(1, classes + 1)],
    }
    made.createIndex()
    return made


@dataclass(frozen=True)
class _Matches:
    """All boxes of one class that count, by decreasing score, with what they matched at each threshold of IoU."""

    images: NDArray[np.int64]
    """Which image each box is of."""
    right: tuple[NDArray[np.int64], ...]
    """For each threshold, the places of the boxes that matched a label."""
    ignored: tuple[NDArray[np.int64], ...]
    """For each threshold, the places of those that are neither right nor wrong."""
    labelled: NDArray[np.int64]
    """Boxes to find in each image."""


class Resampler:
    """mAP of the same matches were each image there as often as a weight says; equal to `COCOeval.accumulate` of that.

    What matters of a list of boxes are the places of the right ones: precision falls between them, so that its envelope
    is taken there. One sum over all boxes and ten over the right ones take some milliseconds for thousands of images.
    """

    def __init__(self, evaluation: Any) -> None:
        params = evaluation.params
        self._images = len(params.imgIds)
        areas = len(params.areaRng)
        self._classes = [
            made
            for kind in range(len(params.catIds))
            if (made := _matches(evaluation, kind * areas * self._images, self._images)) is not None
        ]

    def __call__(self, weights: NDArray[np.int64]) -> float:
        """mAP, 0 to 1; 0 where there is nothing to find. `weights`: int N, in the order of the images."""
        found = [figure for one in self._classes if (figure := _precision(one, weights)) is not None]
        return float(np.mean(found)) if found else 0.0


def _matches(evaluation: Any, start: int, images: int) -> _Matches | None:
    """Of one class, whose entries of `evalImgs` begin at `start`; None where there is nothing to find."""
    most = evaluation.params.maxDets[-1]
    entries = [(n, one) for n, one in enumerate(evaluation.evalImgs[start : start + images]) if one is not None]
    labelled = np.zeros(images, np.int64)
    for number, one in entries:
        labelled[number] = np.count_nonzero(np.asarray(one["gtIgnore"]) == 0)
    if not labelled.any():
        return None
    scores = np.concatenate([np.asarray(one["dtScores"][:most], np.float64) for _, one in entries])
    order = np.argsort(-scores, kind="mergesort")  # as `COCOeval.accumulate` has it
    owner = np.concatenate([np.full(len(one["dtScores"][:most]), number) for number, one in entries])
    matched = np.concatenate([np.asarray(one["dtMatches"])[:, :most] for _, one in entries], axis=1)[:, order] > 0
    ignored = np.concatenate([np.asarray(one["dtIgnore"])[:, :most] for _, one in entries], axis=1)[:, order] > 0
    return _Matches(
        images=owner[order].astype(np.int64),
        right=tuple(np.flatnonzero(row) for row in matched & ~ignored),
        ignored=tuple(np.flatnonzero(row) for row in ignored),
        labelled=labelled,
    )


def _precision(one: _Matches, weights: NDArray[np.int64]) -> float | None:
    """Mean precision over thresholds and recalls; None where nothing is to find under these weights."""
    labelled = int(weights @ one.labelled)
    if not labelled:
        return None
    each = weights[one.images]
    before = np.cumsum(each)
    total = 0.0
    for right, ignored in zip(one.right, one.ignored, strict=True):
        if not len(right):
            continue
        hits = np.cumsum(each[right])
        counted = before[right]
        if len(ignored):
            left_out = np.concatenate([[0], np.cumsum(each[ignored])])
            counted = counted - left_out[np.searchsorted(ignored, right)]
        precision = np.divide(hits, counted, out=np.zeros(len(hits)), where=counted > 0)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(hits / labelled, RECALLS, side="left")
        total += float(envelope[places[places < len(envelope)]].sum())
    return total / (len(one.right) * len(RECALLS))
