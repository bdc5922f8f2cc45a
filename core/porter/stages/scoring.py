"""Scoring: every item of the manifest once, answered or not, in the manifest's order."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from porter.contracts.task import Scorer
from porter.errors import PluginError
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Failure
from porter.stages.changes import Answers
from porter.stages.job import Job
from porter.stages.prepare import Batch

if TYPE_CHECKING:
    import numpy as np

FAILURES_KEPT = 100
OK, UNREADABLE, NONFINITE = "ok", "unreadable", "non-finite"
NONFINITE_REASON = "outputs are not finite"


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The outputs of one batch, and the images that have none."""

    batch: Batch
    outputs: dict[str, np.ndarray]
    infer_seconds: float


class Sink(Protocol):
    """Takes one row of predictions.csv."""

    def __call__(self, row: Sequence[str], /) -> object: ...


class Scoring:
    """Accumulates one evaluation, in the order of the manifest."""

    def __init__(self, job: Job, name: str, info: SessionInfo, sink: Sink) -> None:
        self.job, self.name, self.info, self.sink = job, name, info, sink
        self.scorer: Scorer = job.task.scorer(job.spec, job.manifest)
        self.answers = Answers()
        self.seen = 0
        self.statuses: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.conversions: Counter[str] = Counter()
        self.seconds = dict.fromkeys(("read", "preprocess", "infer", "postprocess"), 0.0)
        self._content = hashlib.sha256()
        self._digested = 0

    @property
    def content_sha256(self) -> str:
        """SHA-256 over the digests of all image files; empty unless every file was read."""
        whole = self._digested == 32 * len(self.job.manifest.items)
        return self._content.hexdigest() if whole else ""

    def take(self, answered: Answered) -> int:
        """Score one batch; returns the number of items that it accounted for."""
        started = time.perf_counter()
        batch = answered.batch
        predictions = self._predictions(answered)
        rows: list[tuple[int, str, Any, str]] = [
            (index, OK if prediction is not None else NONFINITE, prediction, NONFINITE_REASON)
            for index, prediction in zip(batch.indices, predictions, strict=True)
        ]
        rows += [(one.index, UNREADABLE, None, one.reason) for one in batch.failed]
        for index, status, prediction, reason in sorted(rows, key=lambda row: row[0]):
            self._count(index, status, prediction, reason)
        for one in batch.members:
            self.conversions.update(one.conversions)
            self._content.update(one.digest)
            self._digested += len(one.digest)
            self.seconds["read"] += one.read_seconds
            self.seconds["preprocess"] += one.preprocess_seconds
        self.seconds["infer"] += answered.infer_seconds
        self.seconds["postprocess"] += time.perf_counter() - started
        return len(rows)

    def require_all(self) -> None:
        if self.seen != len(self.job.manifest.items):
            raise PluginError(
                f"{self.name}: {self.seen} of {len(self.job.manifest.items)} images came out; nothing was scored"
            )

    def _predictions(self, answered: Answered) -> list[Any | None]:
        import numpy as np

        count = len(answered.batch.indices)
        if not count:
            return []
        finite = np.ones(count, dtype=bool)
        for values in answered.outputs.values():
            if values.dtype.kind == "f":
                finite &= np.isfinite(values.reshape(count, -1)).all(axis=1)
        clean = {name: values[finite] for name, values in answered.outputs.items()}
        found = iter(self.job.hooks.postprocess(clean, self.job.spec) if finite.any() else ())
        try:
            return [next(found) if good else None for good in finite]
        except StopIteration:
            raise PluginError(
                f"plugin {self.job.hooks.plugin!r}: porter_postprocess gave fewer predictions than rows"
            ) from None

    def _count(self, index: int, status: str, prediction: Any | None, reason: str) -> None:
        item, task = self.job.manifest.items[index], self.job.task
        score = self.scorer.add(item, prediction)
        self.answers.add(task, prediction, score)
        self.seen += 1
        self.statuses[status] += 1
        if prediction is None:
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append(Failure(id=item.id, reason=reason))
            fields: Sequence[str] = [""] * len(task.columns)
        else:
            fields = task.row(prediction)
        self.sink(
            [item.id, str(item.label), self.name, self.info.runtime, self.info.precision, status, f"{score:g}", *fields]
        )
