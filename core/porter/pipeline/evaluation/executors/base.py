"""What an executor is: it has one subject's images answered, wherever that is done."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from porter.pipeline.evaluation.shapes import JudgedBatch
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.job import Job
from porter.records.artefact import SessionInfo


@dataclass(frozen=True, kw_only=True)
class Work:
    """One subject, to be answered from a place of the manifest on."""

    job: Job
    subject: Subject
    sources: Sources
    start: int
    """Where the first batch begins."""


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


class Executor(abc.ABC):
    """Used as a context manager: what it started ends with it."""

    name: str
    reads_files: bool
    """Whether it takes tensors and outputs that earlier stages left in the run's folder."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""

    def require(self) -> None:  # noqa: B027 - most need nothing
        """Raise `Missing` or `BadInput` where it cannot be used, before any work is done."""

    @abc.abstractmethod
    def answering(self, work: Work) -> AbstractContextManager[Answering]:
        """Open the sessions; they are closed when the block ends."""

    def close(self) -> None:  # noqa: B027 - most start nothing
        """End what was started."""

    def __enter__(self) -> Executor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
