"""The task `detection`: boxes with a class and a score, judged by mAP as COCO defines it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter import (
    BadInput,
    DataRequest,
    Item,
    LabelFinding,
    Manifest,
    Message,
    Metric,
    ModelSpec,
    Scorer,
    Task,
    Text,
    one_line,
)
from porter_detection.boxes import Detected, paired
from porter_detection.scorer import FIGURES, GATE, DetectionScorer, above
from porter_detection.settings import Unsettled, settings_of
from porter_detection.truth import counted, read

if TYPE_CHECKING:
    import numpy as np

NAME = "detection"
TIMES_RANDOM, LEAST_MAP = 2.0, 0.1
"""A result is told from random boxes by so many times their mAP, and so many percent."""


@dataclass(frozen=True)
class Seen:
    """What a user sees of a prediction: its boxes with a good score."""

    boxes: Detected

    def __str__(self) -> str:
        return counted(self.boxes.classes)


class Detection(Task):
    """Boxes of each image, judged by mAP. A subclass with another `name` may set other thresholds."""

    name = NAME
    title = "Object detection"
    gate = GATE
    metric_names = FIGURES
    answer_name = Message("boxes")
    prediction_type = Detected
    templates = Path(__file__).parent / "templates"
    columns = ("boxes", "detections")
    shown_score = 0.3
    """A box is part of the answer from this score on."""
    written_score = 0.05
    """A box is in predictions.csv from this score on."""
    same_iou, same_score = 0.9, 0.05
    """A box has not changed where one of its class overlaps it so far, with a score that differs by no more."""

    def manifest(self, request: DataRequest) -> Manifest:
        from porter_detection.labels import labelled_manifest

        if request.spec.num_classes is None:
            raise BadInput(
                f"model {one_line(request.spec.name)!r} declares no num_classes, which the task {NAME} needs"
            )
        return labelled_manifest(request, request.spec.num_classes)

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        return DetectionScorer(spec, self.shown_score)

    def row(self, prediction: Detected) -> Sequence[str]:
        good = above(prediction, self.written_score)
        texts = [
            f"{kind} {score:.9g} " + " ".join(f"{value:.9g}" for value in box)
            for box, kind, score in zip(good.boxes, good.classes, good.scores, strict=True)
        ]
        return [str(len(texts)), "; ".join(texts)]

    def entries(self, prediction: Detected, spec: ModelSpec) -> Sequence[Mapping[str, Any]]:
        """The boxes from `shown_score` on, each with its class, score and edges in pixels of the image."""
        good = above(prediction, self.shown_score)
        return [
            {
                "class": kind,
                **({"name": spec.class_names[kind]} if spec.class_names else {}),
                "score": round(score, 4),
                "box": [round(value, 1) for value in box],
            }
            for box, kind, score in zip(good.boxes, good.classes, good.scores, strict=True)
        ]

    def answer(self, prediction: Detected) -> Hashable:
        return Seen(above(prediction, self.shown_score - self.same_score))

    def is_same(self, one: Hashable, other: Hashable) -> bool:
        """Whether each box has a partner: its class, nearly its place, nearly its score.

        A score near the threshold may fall below it without a change: such a box needs no partner, but may be one.
        """
        if not (isinstance(one, Seen) and isinstance(other, Seen)):
            return one == other
        a, b = one.boxes, other.boxes
        pairs = [(i, k) for i, k in paired(a, b, self.same_iou) if abs(a.scores[i] - b.scores[k]) <= self.same_score]
        return self._all_paired(a, {i for i, _ in pairs}) and self._all_paired(b, {k for _, k in pairs})

    def _all_paired(self, boxes: Detected, paired_places: set[int]) -> bool:
        return all(place in paired_places for place, score in enumerate(boxes.scores) if score >= self.shown_score)

    def ranking(self, prediction: Detected) -> Hashable:
        """The classes of the boxes that are seen, by decreasing score."""
        return " ".join(map(str, above(prediction, self.shown_score).classes))

    def misfit(self, spec: ModelSpec) -> str:
        if spec.num_classes is None:
            return f"num_classes: missing; task {self.name!r} needs it"
        try:
            settings_of(spec)
        except Unsettled as error:
            return str(error)
        return ""

    def chance(self, spec: ModelSpec, metrics: Sequence[Metric]) -> Text:
        values = {metric.name: metric.value for metric in metrics}
        found, random = values.get(GATE, 0.0), values.get("map_random", 0.0)
        if found > max(TIMES_RANDOM * random, LEAST_MAP):
            return ""
        return Message(
            "no better than guessing: mAP {found:.2f}%, boxes at random places reach {random:.2f}%",
            found=found,
            random=random,
        )

    def explain_labels(
        self, answers: Sequence[Hashable], items: Sequence[Item], spec: ModelSpec
    ) -> tuple[LabelFinding, ...]:
        from porter_detection.label_faults import explained

        found = [answer.boxes if isinstance(answer, Seen) else Detected((), (), ()) for answer in answers]
        return explained(found, [read(str(item.label)) for item in items], spec.num_classes or 0)

    def label_text(self, item: Item) -> str:
        return counted(one.kind for one in read(str(item.label)).boxes)

    def picture(self, pixels: np.ndarray, reference: Hashable, candidate: Hashable, item: Item) -> np.ndarray | None:
        """The image with the labels' boxes in white, the reference's in green and the artefact's in red."""
        from porter_detection.drawing import drawn

        layers = [answer.boxes if isinstance(answer, Seen) else None for answer in (reference, candidate)]
        return drawn(pixels, read(str(item.label)), *(one and above(one, self.shown_score) for one in layers))
