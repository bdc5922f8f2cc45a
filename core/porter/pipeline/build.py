"""build: every artefact that a run asks for, and what became of its files since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from porter.contracts.runtime import BuildRequest, Runtime
from porter.errors import BadInput, PorterError, TargetFailed
from porter.files.hashes import file_digest
from porter.pipeline.failing import failed
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import build_artefact
from porter.pipeline.job.provenance import plugins_of, sample_hooks_of
from porter.pipeline.job.runtime_options import options_of
from porter.pipeline.job.targets import takes_int8_graph
from porter.pipeline.precision.attempts import forget
from porter.pipeline.precision.calibration_images import Calibrating
from porter.pipeline.precision.quantize import quantize
from porter.pipeline.saving import save
from porter.records.artefact import CHANGED, Artefact, ArtefactPart
from porter.records.choice import Untried
from porter.records.record import RunRecord
from porter.records.unfinished import Failing
from porter.runfolder.layout import MODELS
from porter.runfolder.sections import clear, stale_after


def built(job: Job, record: RunRecord) -> RunRecord:
    """The record with every artefact: made now, unless they are there."""
    if record.artefacts or record.export is None:
        return record
    before = record.quantization
    record, problem = quantised(job, record)
    if problem or record.quantization is not before:
        record = save(job, record)  # the search can take long
        forget(job.folder)
    return build(job, record, problem)


def say_elsewhere(job: Job) -> None:
    """Say for which runtimes a stage that runs alone builds nothing."""
    for runtime, _ in job.plan.elsewhere:
        job.progress.note(
            f"{runtime.name} is not available on this machine: nothing is built (`porter run` writes a kit)"
        )


def quantised(job: Job, record: RunRecord) -> tuple[RunRecord, str]:
    """The record with its int8 graph, where the job needs one that is not there; fills `quantization`.

    Where there can be none and other targets need none, the record as it was and the reason.
    """
    if record.quantization is not None or not any(takes_int8_graph(*pair, job.spec) for pair in job.targets):
        return record, ""
    try:
        return quantize(job, record), ""
    except PorterError as error:
        if not job.request.is_auto and all(takes_int8_graph(*pair, job.spec) for pair in job.targets):
            raise
        return record, str(error)


def build(job: Job, record: RunRecord, problem: str = "") -> RunRecord:
    """Make every artefact of the job from the exported file, or its int8 form; fills `artefacts`.

    A target whose runtime refuses the model, dies or hangs is left out where there are others; fills `unfinished`.
    `problem`: why there is no int8 form. `auto` leaves out what cannot be made, and goes on; fills `untried`.
    """
    assert record.export is not None
    artefacts: list[Artefact] = []
    untried = list(job.plan.untried)
    images = Calibrating(job)
    fault: PorterError | None = None
    with job.progress.step("build"):
        for runtime, precision in job.targets:
            try:
                if takes_int8_graph(runtime, precision, job.spec) and problem:
                    raise BadInput(problem)
                made = [build_artefact(job, runtime, one) for one in _requests(job, record, runtime, precision, images)]
                if precision in runtime.calibrates:
                    made = [replace(one, calibration=images.data) for one in made]
            except PorterError as error:
                if job.request.is_auto and not isinstance(error, TargetFailed):
                    untried.append(Untried(runtime=runtime.name, precision=precision, reason=str(error)))
                    continue
                record, fault = failed(record, Failing.BUILD, f"{runtime.name}-{precision}", error), fault or error
            else:
                artefacts += made
    if not artefacts and fault is not None and not job.plan.elsewhere:
        raise fault
    if not artefacts and not job.plan.elsewhere:
        raise BadInput(f"--precision auto: no candidate could be built; first reason: {untried[0].reason}")
    record = replace(record, plugins=plugins_of(job), hooks=sample_hooks_of(job))
    return replace(record, artefacts=tuple(artefacts), untried=tuple(untried))


def _requests(
    job: Job, record: RunRecord, runtime: Runtime, precision: str, images: Calibrating
) -> tuple[BuildRequest, ...]:
    """One artefact, or where each takes one batch size alone, one for each size."""
    assert record.export is not None
    source = record.export.path
    if takes_int8_graph(runtime, precision, job.spec) and record.quantization is not None:
        source = record.quantization.path
    request = BuildRequest(
        onnx=job.folder / source,
        spec=job.spec,
        folder=job.folder / MODELS,
        precision=precision,
        target=runtime.target(job.request.target_of(runtime.name)),
        options=options_of(runtime, job.request.options),
        calibration=images.rows if precision in runtime.calibrates else None,
        module=job.loaded.module if runtime.takes_module else None,
        progress=job.progress,
    )
    return tuple(replace(request, batch=size) for size in job.batches) if runtime.fixed_batch else (request,)


def as_they_are(job: Job, record: RunRecord) -> RunRecord:
    """The record with the artefacts' files that lie in the folder now, even if somebody changed one: that would ship.

    Of a changed one nothing that was measured is kept.
    """
    artefacts = tuple(_as_it_is(job, artefact) for artefact in record.artefacts)
    if artefacts == record.artefacts:
        return record
    return replace(clear(record, stale_after(["artefacts"])), artefacts=artefacts)


def _as_it_is(job: Job, artefact: Artefact) -> Artefact:
    first, *parts = (_file(job.folder, file) for file in artefact.files)
    if artefact.files == (first, *parts):
        return artefact
    for was, now in zip(artefact.files, (first, *parts), strict=True):
        if was.sha256 != now.sha256:
            path = job.folder / now.path
            job.progress.note(f"{path}: changed after it was built; the changed file is compared")
    return replace(artefact, sha256=first.sha256, size_bytes=first.size_bytes, parts=tuple(parts), command=CHANGED)


def _file(folder: Path, file: ArtefactPart) -> ArtefactPart:
    path = folder / file.path
    return replace(file, sha256=file_digest(path), size_bytes=path.stat().st_size)
