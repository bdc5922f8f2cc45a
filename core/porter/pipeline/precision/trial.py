"""trial: several sessions scored on the same images in one pass, without leaving a trace on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from porter.contracts.runtime import Session
from porter.errors import PorterError
from porter.pipeline.evaluation.answer import answer_batch
from porter.pipeline.evaluation.judging import judge
from porter.pipeline.evaluation.prepare import batches, prepare
from porter.pipeline.evaluation.scoring import Scoring, gate_metric
from porter.pipeline.evaluation.shapes import NONFINITE, Batch
from porter.pipeline.job.job import Dataset
from porter.records.evaluation import Metric


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What one session made of the images."""

    metric: Metric | None = None
    """The gate metric; None where it could not run them, for `problem`."""
    nonfinite: int = 0
    images_per_second: float | None = None
    """Images over the time of inference alone; None where no image could be read."""
    content_sha256: str = ""
    """Over the digests of the images; empty unless every file was read."""
    problem: str = ""


def score(data: Dataset, sessions: Mapping[str, Session], title: str) -> dict[str, Scored]:
    """The gate metric of each session over the images, which are read and preprocessed once for all.

    A session that fails is left out from there on, with its reason.
    """
    trials = {name: _Trial(data, name, session) for name, session in sessions.items()}
    with data.job.progress.step(title, len(data.items)) as advance:
        for batch in batches(prepare(data), data.job.request.evaluation_batch):
            for trial in trials.values():
                trial.take(batch)
            advance(len(batch.members))
    return {name: trial.result() for name, trial in trials.items()}


class _Trial:
    def __init__(self, data: Dataset, name: str, session: Session) -> None:
        self._data, self._job, self._session = data, data.job, session
        self._scoring = Scoring(data, name, session.info, lambda _row: None)
        self._inferred = 0
        self._problem = ""

    def take(self, batch: Batch) -> None:
        if self._problem:
            return
        try:
            answered = answer_batch(self._job, self._session, batch)
        except PorterError as error:
            self._problem = str(error)
            return
        self._scoring.take(judge(self._data, answered))
        self._inferred += len(batch.indices)

    def result(self) -> Scored:
        if self._problem:
            return Scored(problem=self._problem)
        self._scoring.require_all()
        seconds = self._scoring.seconds["infer"]
        return Scored(
            metric=gate_metric(self._job, self._scoring.scorer.metrics()),
            nonfinite=self._scoring.statuses[NONFINITE],
            content_sha256=self._scoring.content_sha256,
            images_per_second=self._inferred / seconds if self._inferred and seconds else None,
        )
