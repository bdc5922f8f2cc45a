"""The task `classification`: one class index an image, scored by top-1 to top-5."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porter.builtin.classes import ClassTally
from porter.contracts.task import DataRequest, Scorer, Task
from porter.errors import BadInput, one_line
from porter.hookspecs import hookimpl
from porter.hosting.plugin_faults import GivenFault
from porter.hosting.specs import by
from porter.machine.statistics import binomial_tail, wilson
from porter.records.evaluation import Metric, Table
from porter.records.manifest import Item, Manifest
from porter.records.message import Message, Text
from porter.records.spec import ModelSpec
from porter.records.suspects import LabelFinding

if TYPE_CHECKING:
    import numpy as np

NAME = "classification"
DEPTH = 5
CHANCE_P = 0.001
"""A result that guessing reaches with at least this probability cannot be told from guessing."""
CHANCE_MARGIN = 0.02
"""Chance-corrected accuracy (Cohen's kappa against uniform guessing) below which a result is near chance."""


@dataclass(frozen=True)
class Classified:
    """The best classes of one image, best first, at most five, with their scores."""

    classes: tuple[int, ...]
    """Class indices."""
    scores: tuple[float, ...]
    """The score of each, as the model gives it."""


class TopKScorer(Scorer):
    """Counts hits in the top 1 to 5. Every metric divides by all items added."""

    def __init__(self, num_classes: int, class_names: Sequence[str] = ()) -> None:
        self._hits = [0] * min(DEPTH, num_classes)
        self._count = 0
        self._classes = ClassTally(class_names)

    def add(self, item: Item, prediction: Classified | None) -> float:
        self._count += 1
        self._classes.add(int(item.label), None if prediction is None else prediction.classes[0])
        if prediction is None or item.label not in prediction.classes:
            return 0.0
        rank = prediction.classes.index(int(item.label))
        for k in range(rank, len(self._hits)):
            self._hits[k] += 1
        return float(rank == 0)

    def metrics(self) -> tuple[Metric, ...]:
        if not self._count:
            return ()
        return tuple(
            Metric(
                name=f"top{k}",
                title=f"Top-{k}",
                value=100 * hits / self._count,
                count=self._count,
                hits=hits,
                interval=wilson(hits, self._count),
                in_documents=k in (1, 5),
            )
            for k, hits in enumerate(self._hits, start=1)
        )

    def tables(self) -> tuple[Table, ...]:
        return self._classes.tables()


class Classification(Task):
    """One class an image, judged by top-1. A subclass with another `name` and `gate` judges otherwise."""

    name = NAME
    title = "Image classification"
    gate = "top1"
    metric_names = tuple(f"top{k}" for k in range(1, DEPTH + 1))
    answer_name = Message("top-1 class")
    prediction_type = Classified
    needs_sizes = False
    columns = (*(f"class{k}" for k in range(1, DEPTH + 1)), *(f"score{k}" for k in range(1, DEPTH + 1)))

    def manifest(self, request: DataRequest) -> Manifest:
        from porter.builtin.labelled import labelled_manifest

        return labelled_manifest(request, num_classes(request.spec))

    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        return TopKScorer(num_classes(spec), spec.class_names)

    def row(self, prediction: Classified) -> Sequence[str]:
        blanks = [""] * (DEPTH - len(prediction.classes))
        # Nine digits tell any two float32 values apart.
        return [*map(str, prediction.classes), *blanks, *(f"{s:.9g}" for s in prediction.scores), *blanks]

    def answer(self, prediction: Classified) -> Hashable:
        return prediction.classes[0]

    def ranking(self, prediction: Classified) -> Hashable:
        return prediction.classes

    def entries(self, prediction: Classified, spec: ModelSpec) -> Sequence[Mapping[str, Any]]:
        names = dict(enumerate(spec.class_names))
        return [
            {"class": index, "name": names.get(index, ""), "score": score}
            for index, score in zip(prediction.classes, prediction.scores, strict=True)
        ]

    def margin(self, prediction: Classified) -> float | None:
        return prediction.scores[0] - prediction.scores[1] if len(prediction.scores) > 1 else None

    def misfit(self, spec: ModelSpec) -> str:
        if spec.num_classes is None:
            return f"num_classes: missing; task {self.name!r} needs it"
        return ""

    def chance(self, spec: ModelSpec, metrics: Sequence[Metric]) -> Text:
        top1 = next(metric for metric in metrics if metric.name == self.gate)
        classes, hits = num_classes(spec), top1.hits or 0
        probability = 1 / classes
        p = binomial_tail(hits, top1.count, probability)
        kappa = (hits / top1.count - probability) / (1 - probability) if classes > 1 else 1.0
        if classes > 1 and (p >= CHANCE_P or kappa < CHANCE_MARGIN):
            return Message(
                "no better than guessing: {hits} of {images} correct among {classes} classes (p = {p:.3g})",
                hits=hits,
                images=top1.count,
                classes=classes,
                p=p,
            )
        return ""

    def explain_labels(
        self, answers: Sequence[Hashable], items: Sequence[Item], spec: ModelSpec
    ) -> tuple[LabelFinding, ...]:
        from porter.diagnose.labels.label_faults import explain_labels

        found = [-1 if answer is None else int(str(answer)) for answer in answers]
        labels = [int(item.label) for item in items]
        names = class_folders(items, num_classes(spec))
        return explain_labels(found, labels, num_classes(spec), names, [item.id for item in items])


def class_folders(items: Sequence[Item], num_classes: int) -> tuple[str, ...]:
    """The folder, or else the WordNet id in the file name, of each class, "" for a class without an image; () where
    these and the classes are not the same."""
    folders: dict[int, str] = {}
    for item in items:
        folder, inside, _ = item.id.partition("/")
        found = re.match("n[0-9]{8}", item.id)
        name = folder if inside else found.group() if found else ""
        if not name or folders.setdefault(int(item.label), name) != name:
            return ()
    distinct = len(set(folders.values())) == len(folders)
    return tuple(folders.get(index, "") for index in range(num_classes)) if distinct else ()


def num_classes(spec: ModelSpec) -> int:
    """The number of classes that a spec declares. Raises `BadInput` where it declares none, or one alone."""
    if spec.num_classes is None or spec.num_classes < 1:
        raise BadInput(f"model {one_line(spec.name)!r} declares no num_classes, which the task {NAME} needs")
    if spec.num_classes == 1:
        raise BadInput(
            f"model {one_line(spec.name)!r}: one column cannot classify several classes: it would always be the"
            " first class. Write a task for thresholds (docs/how-to/add-a-task.md), or"
            " export two columns, [1 - p, p]"
        )
    return spec.num_classes


def classify(scores: np.ndarray) -> list[Classified]:
    """Scores (N×C) to the best five classes of each row; of equal scores the lower class index comes first.

    That order does not look at labels, so a constant output scores no more than its share.
    """
    import numpy as np

    if scores.shape[1] > DEPTH:  # sort no more than the best
        least = np.partition(scores, -DEPTH, axis=1)[:, -DEPTH]
        candidates = [np.flatnonzero(row >= bound) for row, bound in zip(scores, least, strict=True)]
    else:
        candidates = [np.arange(scores.shape[1])] * len(scores)
    orders = [of[np.argsort(-row[of], kind="stable")[:DEPTH]] for row, of in zip(scores, candidates, strict=True)]
    return [
        Classified(tuple(order.tolist()), tuple(row[order].tolist())) for row, order in zip(scores, orders, strict=True)
    ]


@hookimpl
def porter_tasks() -> Sequence[Task]:
    return (Classification(),)


@hookimpl(trylast=True)
def porter_postprocess(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Classified] | None:
    """The first output as N×C scores, for models of this task."""
    if spec.task != NAME:
        return None
    name, classes = spec.outputs[0].name, num_classes(spec)
    if name not in outputs:
        given = ", ".join(map(one_line, outputs)) or "none"
        raise GivenFault("porter_infer", f" gave no output {name!r}, the first in the spec. It gave {given}")
    scores = outputs[name]
    if scores.ndim != 2 or scores.shape[1] != classes:
        raise GivenFault(
            "porter_infer",
            f" gave the output {name!r} as {by(scores.shape)}, expected N×{classes}: one score per class",
        )
    return classify(scores)
