"""The scorer of detection: mAP by pycocotools over all images, each with the boxes that it is labelled with."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from porter import Item, Message, Metric, ModelSpec, Scorer, Table, Text
from porter_detection.boxes import Detected, detected, paired
from porter_detection.coco_eval import Resampler, coco_eval, mean_precision, mean_recall
from porter_detection.truth import Truth, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

GATE = "map"
IOU_OF_SCORE = 0.5
RANDOM_IMAGES, RANDOM_BOXES, SEED = 200, 100, 0
AP50, AP75 = 0, 5
"""Places of their thresholds among the ten."""
FIGURES = (GATE, "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar100", "map_random")
"""Names of the metrics."""


class DetectionScorer(Scorer):
    """Keeps the boxes of each image; the figures are computed when they are asked for."""

    def __init__(self, spec: ModelSpec, shown_score: float) -> None:
        self._classes, self._names, self._shown = spec.num_classes or 0, spec.class_names, shown_score
        self._truths: list[Truth] = []
        self._found: list[Detected | None] = []

    def add(self, item: Item, prediction: Detected | None) -> float:
        """The image's own score: F1 of its boxes at IoU 0.5; 1 where there is nothing to find and nothing is found."""
        truth = read(str(item.label))
        self._truths.append(truth)
        self._found.append(prediction)
        self.__dict__.pop("_evaluation", None)
        self.__dict__.pop("_resampler", None)
        return 0.0 if prediction is None else f1(truth, above(prediction, self._shown))

    def metrics(self) -> tuple[Metric, ...]:
        if not self._truths:
            return ()
        one = self._evaluation
        figures: dict[str, tuple[Text, float | None, bool]] = {
            GATE: ("mAP@[.5:.95]", mean_precision(one), True),
            "ap50": ("AP50", mean_precision(one, iou=AP50), True),
            "ap75": ("AP75", mean_precision(one, iou=AP75), True),
            "ap_small": (Message("AP, small"), mean_precision(one, area=1), False),
            "ap_medium": (Message("AP, medium"), mean_precision(one, area=2), False),
            "ap_large": (Message("AP, large"), mean_precision(one, area=3), False),
            "ar100": ("AR100", mean_recall(one), False),
            "map_random": (Message("mAP of random boxes"), self._random_precision(), False),
        }
        return tuple(
            Metric(name=name, title=title, value=100 * (value or 0.0), count=len(self._truths), in_documents=shown)
            for name, (title, value, shown) in figures.items()
            if value is not None or name in FIGURES[:3]
        )

    def resampled(self, weights: NDArray[np.int64]) -> float:
        return 100 * self._resampler(np.asarray(weights, np.int64))

    def tables(self) -> tuple[Table, ...]:
        """AP of every class that is there to be found, and how many boxes it has."""
        if not self._truths:
            return ()
        rows: list[tuple[str | float | int, ...]] = []
        for kind in range(self._classes):
            figures = [mean_precision(self._evaluation, kind=kind, iou=iou) for iou in (AP50, AP75)]
            whole = mean_precision(self._evaluation, kind=kind)
            labelled = sum(one.kind == kind and not one.crowd for truth in self._truths for one in truth.boxes)
            if whole is None:
                continue
            name = self._names[kind] if kind < len(self._names) else str(kind)
            rows.append((name, 100 * whole, *(100 * (figure or 0.0) for figure in figures), labelled))
        columns = (Message("class"), "AP %", "AP50 %", "AP75 %", Message("labelled boxes"))
        return (Table(title=Message("AP by class"), columns=columns, rows=tuple(rows)),)

    @cached_property
    def _evaluation(self) -> Any:
        return coco_eval(self._truths, self._found, self._classes)

    @cached_property
    def _resampler(self) -> Resampler:
        return Resampler(self._evaluation)

    def _random_precision(self) -> float | None:
        """mAP of boxes whose classes and sizes are drawn from the labels, and whose places are drawn evenly."""
        step = -(-len(self._truths) // RANDOM_IMAGES)
        truths = self._truths[::step]
        sizes = np.array([(one.kind, *one.box[2:]) for truth in truths for one in truth.boxes])
        if not len(sizes):
            return None
        random = np.random.default_rng(SEED)
        found = []
        for truth in truths:
            drawn = sizes[random.integers(0, len(sizes), RANDOM_BOXES)]
            corner = random.random((RANDOM_BOXES, 2)) * np.maximum(np.array(truth.size) - drawn[:, 1:], 0)
            boxes = np.concatenate([corner, corner + drawn[:, 1:]], axis=1)
            found.append(detected(boxes, drawn[:, 0].astype(np.int64), random.random(RANDOM_BOXES), RANDOM_BOXES))
        return mean_precision(coco_eval(truths, found, self._classes, all_only=True))


def above(prediction: Detected, score: float) -> Detected:
    """The boxes with at least that score."""
    count = sum(one >= score for one in prediction.scores)  # by decreasing score
    return Detected(prediction.boxes[:count], prediction.classes[:count], prediction.scores[:count])


def labels_as_boxes(truth: Truth) -> Detected:
    """The labels in the form of a prediction, without crowds."""
    boxes = [one for one in truth.boxes if not one.crowd]
    return Detected(
        tuple((x, y, x + width, y + height) for x, y, width, height in (one.box for one in boxes)),
        tuple(one.kind for one in boxes),
        (1.0,) * len(boxes),
    )


def f1(truth: Truth, found: Detected) -> float:
    """Harmonic mean of precision and recall at IoU 0.5. A class with a crowd in the image has no wrong boxes there."""
    wanted = labels_as_boxes(truth)
    pairs = paired(wanted, found, IOU_OF_SCORE)
    crowded = {one.kind for one in truth.boxes if one.crowd}
    hit = {column for _, column in pairs}
    wrong = sum(place not in hit and kind not in crowded for place, kind in enumerate(found.classes))
    total = len(wanted.boxes) + len(pairs) + wrong
    return 2 * len(pairs) / total if total else 1.0
