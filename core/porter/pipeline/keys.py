"""Keys: the hash of everything that something kept on disk depends on. Another key means that it no longer holds.

What is kept carries its key. `evaluation/` and `precision/` use what has theirs, and `kept/` says of everything in a
folder whether it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from porter.contracts.runtime import Runtime
from porter.files.hashes import digest_of, file_digest
from porter.graphs.quantize.qdq import products_overflow
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.provenance import inputs_of, plugins_of
from porter.records.calibration import CalibrationData
from porter.records.record import HELPER, RunRecord


def tensors_key(job: Job) -> str:
    """Of preprocessed images: the list of them, how they are preprocessed, and by which code."""
    registry = job.registry
    uses = [registry.use("model", job.hooks.plugin), *(registry.use(HELPER, name) for name in registry.helpers())]
    made_by = [text for use in uses for text in astuple(use)]
    return digest_of(job.data.manifest_sha256, _pipeline(job), *job.versions, *made_by)


def outputs_key(job: Job, record: RunRecord, tensors: str, name: str) -> str:
    """Of the outputs of the reference or an artefact, from tensors of the key `tensors`: the files of either, and the
    code and environment that it runs in."""
    artefacts = [artefact for artefact in record.artefacts if artefact.id == name]
    made_by = [file.sha256 for artefact in artefacts for file in artefact.files]
    registry = job.registry
    runtimes = [artefact.runtime for artefact in artefacts if artefact.runtime in registry.runtimes()]
    made_by += [registry.use(name, registry.provider_of("runtime", name)).source_sha256 for name in runtimes]
    made_by += [one.environment.sha256 for one in artefacts if one.environment is not None]
    made_by += [entry.sha256 for entry in record.inputs if entry.role in MODEL_FILES]
    return digest_of(tensors, name, str(job.request.weights), *made_by)


def settings_key(job: Job) -> str:
    """Of what changes the last digits of outputs, and no more."""
    return digest_of(*_settings(job))


def journal_key(job: Job, outputs: str, source: str) -> str:
    """Of predictions made from outputs of the key `outputs`, which come from `source`: the task's code as well."""
    task = job.registry.provider_of("task", job.spec.task)
    return digest_of(outputs, *_settings(job), source, *astuple(job.registry.use("task", task)))


def attempts_key(data: Dataset, graph: Path, calibration: CalibrationData, runtimes: Sequence[Runtime]) -> str:
    """Of the attempts of a search for int8, the content of the images that they are scored on aside."""
    job, request = data.job, data.job.request
    settings = (request.evaluation_batch, job.threads, request.provider, request.max_drop)
    parts = [file_digest(graph), calibration.content_sha256, data.manifest_sha256, _pipeline(job)]
    parts += [entry.sha256 for entry in inputs_of(job)]
    parts += [text for use in plugins_of(job) for text in astuple(use)]
    parts += [*map(str, settings), *(runtime.name for runtime in runtimes), str(products_overflow()), *job.versions]
    return digest_of(*parts)


def _pipeline(job: Job) -> str:
    return "" if job.spec.preprocess is None else job.spec.preprocess.id


def _settings(job: Job) -> tuple[str, ...]:
    return tuple(map(str, (job.request.evaluation_batch, job.threads, job.evaluation_streams, job.request.provider)))
