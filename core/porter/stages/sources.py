"""Where a stage takes tensors and outputs from: what an earlier stage left on disk, or made now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple

import porter
from porter.contracts.runtime import Session
from porter.records.run import RunRecord
from porter.stages.evaluate import answer
from porter.stages.files import OUTPUTS, TENSORS, ArrayFolder, manifest_sha256, read_outputs, read_tensors
from porter.stages.job import Job
from porter.stages.prepare import Prepared, prepare
from porter.stages.scoring import Answered

IMAGES = "images"


class Sources:
    """The streams of one job. With `from_files` False nothing on disk is used, as a measured whole run needs."""

    def __init__(self, job: Job, record: RunRecord, *, from_files: bool) -> None:
        self._job, self._record, self._from_files = job, record, from_files

    def prepared(self) -> tuple[Iterable[Prepared], str]:
        """Preprocessed images, and where they come from: `tensors` or `images`."""
        folder = self.tensors()
        if self._from_files and folder.exists():
            return read_tensors(folder), TENSORS
        return prepare(self._job), IMAGES

    def answered(self, name: str, session: Session) -> tuple[Iterable[Answered], str]:
        """The outputs of one session, and where they come from: `outputs`, `tensors` or `images`."""
        folder = self.outputs(name)
        if self._from_files and folder.exists():
            return read_outputs(folder), OUTPUTS
        prepared, source = self.prepared()
        return answer(self._job, session, prepared, self._job.request.evaluation_batch), source

    def tensors(self) -> ArrayFolder:
        """The folder that `porter preprocess` writes."""
        return ArrayFolder(self._job.folder / TENSORS, self._tensor_key(), self._job.manifest)

    def outputs(self, name: str) -> ArrayFolder:
        """The folder that `porter infer` writes for the reference or an artefact."""
        artefacts = [artefact for artefact in self._record.artefacts if artefact.id == name]
        made_by = [file.sha256 for artefact in artefacts for file in artefact.files]
        made_by += [entry.sha256 for entry in self._record.inputs if entry.role in ("config", "checkpoint")]
        key = _hash(self._tensor_key(), name, str(self._job.request.weights), *made_by)
        return ArrayFolder(self._job.folder / OUTPUTS / name, key, self._job.manifest)

    def _tensor_key(self) -> str:
        plugin = self._job.registry.use("model", self._job.hooks.plugin)
        pipeline = (self._job.spec.preprocess.id, porter.__version__, *astuple(plugin))
        return _hash(manifest_sha256(self._job.manifest), *pipeline)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
