"""The scorer of COCO keypoints: AP over similarities by pycocotools, all people of an image together."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from porter import Item, Message, Metric, Scorer, Table, Text
from porter_detection.coco_eval import Resampler
from porter_pose.oks import keypoint_eval, person_score, sigmas_of, similarity, without_copies
from porter_pose.person import Annotation, Posed, read_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

GATE = "ap"
FIGURES = (GATE, "ap50", "ap75", "ap_medium", "ap_large", "ar")


class OksScorer(Scorer):
    """Keeps the pose of every box; the figures are computed when they are asked for."""

    def __init__(self, joints: int, names: tuple[str, ...]) -> None:
        self._joints, self._names = joints, names
        self._sigmas = sigmas_of(joints)
        self._people: dict[int, tuple[Annotation, ...]] = {}
        self._elsewhere: tuple[Annotation, ...] = ()
        self._found: dict[int, list[tuple[Posed, float, float]]] = defaultdict(list)
        self._first: dict[int, int] = {}
        """By image, the place of its first item."""
        self._count = 0
        self._off: list[list[float]] = [[] for _ in range(joints)]
        """For each joint its distance from the label, in parts of the root of the person's area."""

    def add(self, item: Item, prediction: Posed | None) -> float:
        """The similarity of the pose with the person of its box, or with the nearest of the image."""
        label, place = read_label(str(item.label)), self._count
        self._count += 1
        self._elsewhere += label.elsewhere
        if label.sigmas:
            self._sigmas = sigmas_of(self._joints, label.sigmas)
        if label.image not in self._first:
            self._first[label.image], self._people[label.image] = place, label.people
        self.__dict__.pop("_evaluation", None)
        self.__dict__.pop("_resampler", None)
        if prediction is None:
            return 0.0
        _, _, width, height = item.box or (0.0, 0.0, 0.0, 0.0)
        self._found[label.image].append((prediction, person_score(prediction, label.score), width * height))
        everybody = self._people[label.image]
        whose = everybody[label.own : label.own + 1] if label.own >= 0 else everybody
        scored = [(similarity(prediction, one, self._sigmas), one) for one in whose if one.labelled]
        if not scored:
            return 0.0
        score, nearest = max(scored, key=lambda one: one[0])
        self._note(prediction, nearest)
        return score

    def metrics(self) -> tuple[Metric, ...]:
        if not self._count:
            return ()
        precision, recall = self._evaluation.eval["precision"], self._evaluation.eval["recall"]
        figures: dict[str, tuple[Text, NDArray[np.float64], bool]] = {
            GATE: ("AP", precision[:, :, 0, 0, 0], True),
            "ap50": ("AP50", precision[:1, :, 0, 0, 0], True),
            "ap75": ("AP75", precision[5:6, :, 0, 0, 0], True),
            "ap_medium": (Message("AP, medium"), precision[:, :, 0, 1, 0], False),
            "ap_large": (Message("AP, large"), precision[:, :, 0, 2, 0], False),
            "ar": ("AR", recall[:, 0, 0, 0], False),
        }
        return tuple(
            Metric(name=name, title=title, value=100 * _mean(values), count=self._count, in_documents=shown)
            for name, (title, values, shown) in figures.items()
            if shown or (values > -1).any()
        )

    def resampled(self, weights: NDArray[np.int64]) -> float:
        """Of whole images: the weight of an image is that of its first item."""
        weights = np.asarray(weights, np.int64)
        of_images = [weights[self._first[one]] if one in self._first else 1 for one in self._evaluation.params.imgIds]
        return 100 * self._resampler(np.array(of_images, np.int64))

    def tables(self) -> tuple[Table, ...]:
        """How far each joint lies from its label."""
        rows = tuple(
            (self._names[joint] if joint < len(self._names) else str(joint), len(off), 100 * float(np.median(off)))
            for joint, off in enumerate(self._off)
            if off
        )
        columns = (Message("joint"), Message("labelled"), Message("median distance, % of the root of the area"))
        return (Table(title=Message("Joints"), columns=columns, rows=rows),) if rows else ()

    def _note(self, found: Posed, wanted: Annotation) -> None:
        size = max(wanted.area, 1.0) ** 0.5
        for joint, (x, y) in enumerate(found.joints):
            left, top, seen = wanted.joints[3 * joint : 3 * joint + 3]
            if seen > 0:
                self._off[joint].append(float(np.hypot(x - left, y - top)) / size)

    @cached_property
    def _evaluation(self) -> Any:
        wanted = [one for people in self._people.values() for one in people]
        found = {image: without_copies(people, self._sigmas) for image, people in self._found.items()}
        return keypoint_eval([*wanted, *self._elsewhere], found, self._sigmas)

    @cached_property
    def _resampler(self) -> Resampler:
        return Resampler(self._evaluation)


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else 0.0
