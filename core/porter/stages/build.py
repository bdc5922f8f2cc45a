"""build: every artefact that a run asks for, and what became of its files since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from porter.contracts.runtime import BuildRequest, Runtime
from porter.errors import BadInput, PorterError
from porter.hashes import file_digest
from porter.records.artefact import Artefact, ArtefactPart
from porter.records.choice import Untried
from porter.records.run import RunRecord
from porter.stages import verify
from porter.stages.export import MODELS
from porter.stages.job import Job
from porter.stages.precision.quantize import quantize
from porter.stages.precision.targets import INT8


def quantised(job: Job, record: RunRecord) -> tuple[RunRecord, str]:
    """The record with its int8 graph, where the job needs one that is not there; fills `quantization`.

    For `auto`, where there can be none, the record as it was and the reason.
    """
    if record.quantization is not None or INT8 not in [precision for _, precision in job.targets]:
        return record, ""
    try:
        return quantize(job, record), ""
    except PorterError as error:
        if not job.request.is_auto:
            raise
        return record, str(error)


def build(job: Job, record: RunRecord, problem: str = "") -> RunRecord:
    """Make every artefact of the job from the exported file, or its int8 form; fills `artefacts`.

    `problem`: why there is no int8 form. `auto` leaves out what cannot be made, and goes on; fills `untried`.
    """
    assert record.export is not None
    artefacts: list[Artefact] = []
    untried = list(job.plan.untried)
    with job.progress.step("build"):
        for runtime, precision in job.targets:
            try:
                if precision == INT8 and problem:
                    raise BadInput(problem)
                plain = _plain(job, record, precision)
                made = [job.build(runtime, request) for request in _requests(job, runtime, plain)]
            except PorterError as error:
                if not job.request.is_auto:
                    raise
                untried.append(Untried(runtime=runtime.name, precision=precision, reason=str(error)))
            else:
                artefacts += made
    if not artefacts and not job.plan.elsewhere:
        raise BadInput(f"--precision auto: nothing could be built: {untried[0].reason}")
    return replace(record, artefacts=tuple(artefacts), untried=tuple(untried), plugins=job.plugins())


def _plain(job: Job, record: RunRecord, precision: str) -> BuildRequest:
    assert record.export is not None
    source = record.export.path
    if precision == INT8 and record.quantization is not None:
        source = record.quantization.path
    return BuildRequest(onnx=job.folder / source, spec=job.spec, folder=job.folder / MODELS, precision=precision)


def _requests(job: Job, runtime: Runtime, plain: BuildRequest) -> tuple[BuildRequest, ...]:
    """One artefact, or where each takes one batch size alone, one for each size."""
    request = replace(plain, target=runtime.target(job.request.soc_version))
    return tuple(replace(request, batch=size) for size in job.batches) if runtime.fixed_batch else (request,)


def as_they_are(job: Job, artefacts: tuple[Artefact, ...]) -> tuple[Artefact, ...]:
    """The artefacts with the files that lie in the folder now: that is what would ship."""
    return tuple(_as_it_is(job, artefact) for artefact in artefacts)


def _as_it_is(job: Job, artefact: Artefact) -> Artefact:
    first, *parts = (_file(job.folder, file) for file in artefact.files)
    if artefact.files == (first, *parts):
        return artefact
    for was, now in zip(artefact.files, (first, *parts), strict=True):
        if was.sha256 != now.sha256:
            path = job.folder / now.path
            job.progress.note(f"{path}: changed after it was built; the changed file is verified")
    return replace(
        artefact, sha256=first.sha256, size_bytes=first.size_bytes, parts=tuple(parts), command=verify.CHANGED
    )


def _file(folder: Path, file: ArtefactPart) -> ArtefactPart:
    path = folder / file.path
    return replace(file, sha256=file_digest(path), size_bytes=path.stat().st_size)
