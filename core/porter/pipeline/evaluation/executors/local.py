"""The executor of every run that names no other: this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from porter.contracts.runtime import Session
from porter.pipeline.evaluation.checking import Checking
from porter.pipeline.evaluation.executors.base import Answering, EvaluationExecutor, Work
from porter.pipeline.evaluation.judging import judge
from porter.pipeline.evaluation.shapes import JudgedBatch


class Local(EvaluationExecutor):
    """Answers in this process, with one session."""

    name = "local"
    reads_files = True

    @contextmanager
    def answering(self, work: Work) -> Iterator[Answering]:
        with work.subject.opened(work.job) as session:
            yield _Here(work, session)


class _Here(Answering):
    workers = 1

    def __init__(self, work: Work, session: Session) -> None:
        self.info = session.info
        self._work, self._session = work, session

    def __iter__(self) -> Iterator[JudgedBatch]:
        work = self._work
        check = None
        if work.bound is not None:
            check = Checking(work.job, self._session, work.bound.tolerance, len(work.job.data.items) - 1)
        for answered in work.sources.answered(work.subject.name, self._session, start=work.start, check=check):
            yield judge(work.job.data, answered, work.sources.keep)
