"""Where a stage takes tensors, outputs and answers from: what an earlier stage or run left on disk, or made now."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from functools import cached_property
from typing import Any

from porter.contracts.runtime import Session
from porter.files.hashes import digest_of
from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.arrays import ArrayFolder, read_outputs, read_tensors
from porter.pipeline.evaluation.checking import Checking
from porter.pipeline.evaluation.journal import Journal
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.shapes import Answered, Prepared
from porter.pipeline.evaluation.trace_file import TraceFile
from porter.pipeline.evaluation.traces import values_kept
from porter.pipeline.job.job import Job
from porter.pipeline.keys import journal_key, outputs_key, settings_key, tensors_key
from porter.records.record import RunRecord
from porter.runfolder.layout import OUTPUTS, TENSORS, TRACES, journal_of

IMAGES = "images"


class Sources:
    """The streams of one job. With `from_files` False no tensors and outputs on disk are used, so that the whole path
    is measured."""

    def __init__(self, job: Job, record: RunRecord, *, from_files: bool) -> None:
        self._job, self._record, self._from_files = job, record, from_files

    def prepared(self, start: int = 0) -> tuple[Generator[Prepared, None, None], str]:
        """Preprocessed images from place `start` on, and where they come from: `tensors` or `images`."""
        folder = self.tensors()
        if self._from_files and folder.exists():
            return read_tensors(folder, start), TENSORS
        return prepare(self._job.data, range(start, len(self._job.data.items))), IMAGES

    def source(self, name: str) -> str:
        """Where the outputs of a subject come from: `outputs`, `tensors` or `images`."""
        if self._from_files and self.outputs(name).exists():
            return OUTPUTS
        return TENSORS if self._from_files and self.tensors().exists() else IMAGES

    def answered(
        self, name: str, session: Session, *, start: int = 0, check: Checking | None = None
    ) -> Iterable[Answered]:
        """The outputs of one session, from place `start` on, which is where a batch begins; `check`: see `answer`."""
        if self.source(name) == OUTPUTS:
            listed = [one.name for one in self._job.spec.outputs if one.is_listed]
            return read_outputs(self.outputs(name), listed)
        return answer(self._job, session, self.prepared(start)[0], self._job.request.evaluation_batch, check)

    def tensors(self) -> ArrayFolder:
        """The folder that `porter preprocess` writes."""
        return ArrayFolder(self._job.folder / TENSORS, self._tensors_key, self._job.data.manifest)

    def outputs(self, name: str) -> ArrayFolder:
        """The folder that `porter infer` writes for the reference or an artefact."""
        manifest = self._job.data.manifest
        return ArrayFolder(
            self._job.folder / OUTPUTS / name, self._outputs_key(name), manifest, settings_key(self._job)
        )

    def journal(self, name: str, prediction: type[Any]) -> Journal:
        """The journal of one subject's answers."""
        key = journal_key(self._job, self._outputs_key(name), self.source(name))
        return Journal(self._job.folder / journal_of(name), key, prediction)

    def traces(self, reference: str) -> TraceFile:
        """The traces of the reference's outputs, whose name is given."""
        key = digest_of(journal_key(self._job, self._outputs_key(reference), self.source(reference)), str(self.keep))
        return TraceFile(self._job.folder / TRACES, key)

    @property
    def keep(self) -> int:
        """How many values of each output a trace holds."""
        return values_kept(len(self._job.data.items), len(self._job.spec.outputs))

    def _outputs_key(self, name: str) -> str:
        return outputs_key(self._job, self._record, self._tensors_key, name)

    @cached_property
    def _tensors_key(self) -> str:
        return tensors_key(self._job)
