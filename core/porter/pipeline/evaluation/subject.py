"""What is evaluated: the model as it was loaded, and each artefact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from porter.contracts.runtime import Session
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.records.artefact import Artefact, SessionInfo
from porter.records.message import Message, Text
from porter.records.record import RunRecord

REFERENCE = "reference"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is evaluated: an artefact, or the model as it was loaded."""

    artefact: Artefact | None = None

    @property
    def name(self) -> str:
        """Name of its evaluation."""
        return REFERENCE if self.artefact is None else self.artefact.id

    def title(self, info: SessionInfo) -> Text:
        """Its name in documents."""
        name = f"{info.runtime} {info.precision}"
        if self.artefact is not None and self.artefact.batch is not None:
            name += f", batch {self.artefact.batch}"
        return name if self.artefact is not None else Message("{name} (reference)", name=name)

    @contextmanager
    def opened(self, job: Job) -> Iterator[Session]:
        """Its session, closed again at the end; the reference stays for whoever needs it next."""
        if self.artefact is None:
            yield job.reference
            return
        streams, asked = job.evaluation_streams, job.request.streams is not None
        session = open_artefact(job, self.artefact, streams=streams, at_most=not asked, yielding=True)
        with closing(session):
            yield session


def subjects(record: RunRecord) -> tuple[Subject, ...]:
    """The reference, then every artefact."""
    return (Subject(), *(Subject(artefact=artefact) for artefact in record.scorable))
