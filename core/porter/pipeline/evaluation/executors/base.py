"""What an executor is: it has one subject's images answered, wherever that is done."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from porter.pipeline.evaluation.shapes import JudgedBatch
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.executor import Executor
from porter.pipeline.job.job import Job
from porter.pipeline.judge.tolerance import Bound
from porter.records.artefact import SessionInfo


@dataclass(frozen=True, kw_only=True)
class Work:
    """One subject, to be answered from a place of the manifest on."""

    job: Job
    subject: Subject
    sources: Sources
    start: int
    """Where the first batch begins."""
    bound: Bound | None = None
    """How far the outputs of an artefact may lie from the reference's; None: it is the reference itself."""


class Answering(abc.ABC):
    """One evaluation under way. Iterated once, it gives every batch in the order of the manifest."""

    info: SessionInfo
    """What really runs, the same on every worker."""

    @property
    @abc.abstractmethod
    def workers(self) -> int:
        """Processes that have answered, or are ready to, each with a session of its own."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[JudgedBatch]:
        """The batches. Raises `PorterError` where an image cannot be answered."""


class EvaluationExecutor(Executor):
    """An executor that has images answered."""

    @abc.abstractmethod
    def answering(self, work: Work) -> AbstractContextManager[Answering]:
        """Open the sessions; they are closed when the block ends."""
