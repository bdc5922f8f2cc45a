"""checking: the session of an evaluation, looked at with its first batch and with its last."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from porter.contracts.rows import count_of
from porter.contracts.runtime import Session
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.shapes import Answered, Batch
from porter.pipeline.job.job import Job
from porter.pipeline.session_checks.in_session import InSession
from porter.records.parity import Tolerance


class Checking:
    """Some rows of the first and of the last batch, each against the same image alone in the same session."""

    def __init__(self, job: Job, session: Session, tolerance: Tolerance, last: int, *, threads: bool = True) -> None:
        """`last` is the place of the last image; `threads`: whether the calls of the first batch are also made from as
        many threads as the session has streams."""
        size = max(job.request.evaluation_batch, session.least_rows)
        self._checks = InSession(partial(infer, job, session), tolerance, batch=size, streams=session.info.streams)
        self._session, self._last = session, last
        self._first, self._threads = True, threads

    def wants(self, batch: Batch) -> bool:
        """Whether a batch is one to look at, so that nothing else may run in the session."""
        return self._first or batch.members[-1].index == self._last

    def seen(self, answered: Answered) -> Answered:
        """A batch that was just answered, with the result of all checks if it is the last."""
        batch = answered.batch
        is_last = batch.members[-1].index == self._last
        cheap = self._session.least_rows == 1  # else each call starts a program, and shares nothing with another
        if cheap and batch.feeds and (self._first or is_last):
            rows = self._rows(count_of(batch.feeds))
            several = self._session.info.streams > 1
            self._checks.alone(batch.feeds, answered.outputs, rows, threads=self._threads, by_another=several)
            self._first = self._threads = False
        return replace(answered, check=self._checks.result()) if is_last else answered

    def _rows(self, count: int) -> tuple[int, ...]:
        """The first row and the last; the last alone where a call costs as much as a batch."""
        return (count - 1,) if self._session.info.batch else (0, count - 1)
