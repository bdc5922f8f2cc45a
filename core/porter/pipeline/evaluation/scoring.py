"""Scoring: every item of the manifest once, answered or not, in the manifest's order."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from porter.contracts.task import Scorer
from porter.errors import PluginError
from porter.files.outward import FORMULA
from porter.pipeline.evaluation.prediction_changes import Answers
from porter.pipeline.evaluation.shapes import STAGES, Judged, JudgedBatch, Row
from porter.pipeline.evaluation.unanswered import Reasons
from porter.pipeline.job.job import Dataset, Job
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Failure, Metric

FAILURES_KEPT = 100


class Sink(Protocol):
    """Takes one row of predictions.csv."""

    def __call__(self, row: Sequence[str], /) -> object: ...


class Scoring:
    """Accumulates one evaluation, in the order of the manifest."""

    def __init__(self, data: Dataset, name: str, info: SessionInfo, sink: Sink) -> None:
        self.data, self.name, self.info, self.sink = data, name, info, sink
        self._task = data.job.task
        self.scorer: Scorer = self._task.scorer(data.job.spec, data.manifest)
        self._columns = tuple(self._task.columns)
        self.answers = Answers()
        self.seen = 0
        self.statuses: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.reasons = Reasons()
        self.conversions: Counter[str] = Counter()
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._content = hashlib.sha256()
        self._digested = 0

    @property
    def content_sha256(self) -> str:
        """SHA-256 over the digests of all image files; empty unless every file was read."""
        return self._content.hexdigest() if self._digested == len(self.data.items) else ""

    def take(self, batch: JudgedBatch) -> int:
        """Score one batch, which follows the last one; returns the number of items that it accounted for."""
        started = time.perf_counter()
        if batch.start != self.seen:
            raise PluginError(f"{self.name}: image {batch.start} came where {self.seen} was expected")
        for image in batch.images:
            self._count(image)
            self.conversions.update(image.conversions)
            self._content.update(bytes.fromhex(image.digest))
            self._digested += bool(image.digest)
        for stage, spent in batch.seconds.items():
            self.seconds[stage] += spent
        self.seconds["postprocess"] += time.perf_counter() - started
        return len(batch.images)

    def require_all(self) -> None:
        """Raise `PluginError` unless every item of the manifest was scored."""
        if self.seen != len(self.data.items):
            raise PluginError(
                f"{self.name}: {self.seen} of {len(self.data.items)} images have outputs; nothing was scored"
            )

    def _count(self, image: Judged) -> None:
        item, task = self.data.items[self.seen], self._task
        score = self.scorer.add(item, image.prediction)
        self.answers.add(task, image.prediction, score)
        self.seen += 1
        self.statuses[image.status] += 1
        if image.prediction is None:
            self.reasons.add(item.id, image.reason)
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append(Failure(id=item.id, reason=image.reason))
            fields: Sequence[str] = [""] * len(self._columns)
        else:
            fields = task.row(image.prediction)
            if len(fields) != len(self._columns):
                raise PluginError(
                    f"task {task.name!r}: row() gave {len(fields)} fields for the {len(self._columns)} columns "
                    f"{', '.join(self._columns)}"
                )
        row = Row(
            image=no_formula(item.id),
            label=str(item.label),
            evaluation=self.name,
            runtime=self.info.runtime,
            precision=self.info.precision,
            status=image.status,
            score=f"{score:g}",
        )
        self.sink(row.line(fields))


def gate_metric(job: Job, metrics: Sequence[Metric]) -> Metric:
    """The metric that the task's gate reads. Raises `PluginError` where there is none of that name."""
    for metric in metrics:
        if metric.name == job.task.gate:
            return metric
    raise PluginError(f"task {job.task.name!r}: no metric is named {job.task.gate!r}, its gate")


def no_formula(image_id: str) -> str:
    """The path of an image as predictions.csv has it: a spreadsheet would take `=cmd.jpg` for a formula and run it.

    `./=cmd.jpg` is the same path, also to whoever matches names.
    """
    return f"./{image_id}" if image_id.startswith(FORMULA) else image_id
