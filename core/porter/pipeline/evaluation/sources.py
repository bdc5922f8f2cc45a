"""Where a stage takes tensors, outputs and answers from: what an earlier stage or run left on disk, or made now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from functools import cached_property
from typing import Any

from porter.contracts.runtime import Session
from porter.files.hashes import digest_of
from porter.pipeline.evaluation.answer import answer
from porter.pipeline.evaluation.arrays import ArrayFolder, read_outputs, read_tensors
from porter.pipeline.evaluation.journal import Journal
from porter.pipeline.evaluation.judging import Answered
from porter.pipeline.evaluation.prepare import Prepared, prepare
from porter.pipeline.job.job import Job
from porter.records.record import HELPER, RunRecord
from porter.runfolder.layout import JOURNALS, OUTPUTS, TENSORS

IMAGES = "images"


class Sources:
    """The streams of one job. With `from_files` False no tensors and outputs on disk are used, so that the whole path
    is measured."""

    def __init__(self, job: Job, record: RunRecord, *, from_files: bool) -> None:
        self._job, self._record, self._from_files = job, record, from_files

    def prepared(self, start: int = 0) -> tuple[Iterable[Prepared], str]:
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

    def answered(self, name: str, session: Session, *, start: int = 0) -> Iterable[Answered]:
        """The outputs of one session, from place `start` on, which is where a batch begins."""
        if self.source(name) == OUTPUTS:
            return read_outputs(self.outputs(name))
        return answer(self._job, session, self.prepared(start)[0], self._job.request.evaluation_batch)

    def tensors(self) -> ArrayFolder:
        """The folder that `porter preprocess` writes."""
        return ArrayFolder(self._job.folder / TENSORS, self._tensor_key, self._job.data.manifest)

    def outputs(self, name: str) -> ArrayFolder:
        """The folder that `porter infer` writes for the reference or an artefact."""
        key, settings = self._output_key(name), digest_of(*self._settings())
        return ArrayFolder(self._job.folder / OUTPUTS / name, key, self._job.data.manifest, settings)

    def journal(self, name: str, prediction: type[Any]) -> Journal:
        """The journal of one subject's answers."""
        task = self._job.registry.provider_of("task", self._job.spec.task)
        made_by = astuple(self._job.registry.use("task", task))
        key = digest_of(self._output_key(name), *self._settings(), self.source(name), *made_by)
        return Journal(self._job.folder / JOURNALS / f"{name}.jsonl", key, prediction)

    def _settings(self) -> tuple[str, ...]:
        """What changes the last digits of outputs."""
        job, request = self._job, self._job.request
        return tuple(map(str, (request.evaluation_batch, job.threads, job.evaluation_streams, request.provider)))

    def _output_key(self, name: str) -> str:
        artefacts = [artefact for artefact in self._record.artefacts if artefact.id == name]
        made_by = [file.sha256 for artefact in artefacts for file in artefact.files]
        registry = self._job.registry
        runtimes = [artefact.runtime for artefact in artefacts if artefact.runtime in registry.runtimes()]
        made_by += [registry.use(name, registry.provider_of("runtime", name)).source_sha256 for name in runtimes]
        made_by += [one.environment.sha256 for one in artefacts if one.environment is not None]
        made_by += [entry.sha256 for entry in self._record.inputs if entry.role in ("config", "checkpoint")]
        return digest_of(self._tensor_key, name, str(self._job.request.weights), *made_by)

    def _decoding(self) -> str:
        return "approximate" if self._job.request.approximate_decode else ""

    @cached_property
    def _tensor_key(self) -> str:
        registry = self._job.registry
        uses = [registry.use("model", self._job.hooks.plugin), *(registry.use(HELPER, n) for n in registry.helpers())]
        return digest_of(
            self._job.data.manifest_sha256,
            self._job.spec.preprocess.id,
            self._decoding(),
            *self._job.versions,
            *(text for use in uses for text in astuple(use)),
        )
