"""kits: what builds, runs and measures the model on another machine, for each runtime that this one lacks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import PurePath

from porter.contracts.runtime import KitRequest, Preprocessed, Runtime
from porter.errors import BadInput
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.hosting.specs import by
from porter.machine.clock import now
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.failing import REFUSALS, failed
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Job
from porter.pipeline.job.runtime_options import options_of
from porter.records.kit import Kit
from porter.records.record import InputFile, RunRecord
from porter.records.unfinished import Failing
from porter.runfolder.layout import KIT


def write_kits(job: Job, record: RunRecord) -> RunRecord:
    """Write every kit that the job needs; fills `kits`, and `unfinished` where a runtime beside others refuses the
    model. Says on the screen that nothing was measured there."""
    assert record.export is not None
    kits: list[Kit] = []
    for runtime, precision in job.plan.elsewhere:
        folder = job.folder / (KIT if len(job.plan.elsewhere) == 1 else f"{KIT}-{runtime.name}-{precision}")
        with (
            job.progress.step(f"kit for {runtime.name}", len(job.data.items)) as advance,
            closing(_preprocessed(prepare(job.data), advance)) as images,
        ):
            request = KitRequest(
                onnx=job.folder / record.export.path,
                spec=job.spec,
                folder=folder,
                precision=precision,
                target=runtime.target(job.request.target_of(runtime.name)),
                batches=job.batches,
                scored=tuple(sorted({job.batches[0], _evaluation_batch(job)})),
                manifest=job.data.manifest,
                images=images,
                created=now(),
                made_from=_made_from(record),
                options=options_of(runtime, job.request.options),
            )
            try:
                kit = _written(job, runtime, request)
            except REFUSALS as error:
                if not (record.artefacts or kits) and (runtime, precision) == job.plan.elsewhere[-1]:
                    raise
                record = failed(record, Failing.BUILD, f"{runtime.name}-{precision}", error)
                continue
        kits.append(kit)
        job.progress.note(
            f"nothing was measured on {runtime.name}: {kit.lacks}. Take {folder} to a host that has it, run "
            f"{kit.script} there, bring the folder back, then run: {kit.take_back}"
        )
        if not record.artefacts:
            job.progress.note(
                f"the ONNX file in {folder} was not compared with the reference. Use --runtime onnxruntime as well"
            )
        if precision not in job.request.precisions:
            job.progress.note(f"{runtime.name} builds {precision}, since no --precision was given")
    return replace(record, kits=tuple(kits))


def _made_from(record: RunRecord) -> tuple[InputFile, ...]:
    """Config and checkpoint without the folders of this machine."""
    files = (file for file in record.inputs if file.role in MODEL_FILES)
    return tuple(replace(file, path=PurePath(file.path).name) for file in files)


def _require_one_input(job: Job, runtime: Runtime) -> None:
    """A kit has one file a sample."""
    if len(job.spec.inputs) > 1 or job.spec.preprocess is None or job.spec.preprocess.is_free:
        raise BadInput(
            f"runtime {runtime.name}: its kit takes models with one image of a fixed size as input, "
            f"{job.spec.name} takes {', '.join(f'{one.name} {by(one.shape)}' for one in job.spec.inputs)}. "
            "Use another --runtime"
        )


def _written(job: Job, runtime: Runtime, request: KitRequest) -> Kit:
    _require_one_input(job, runtime)
    try:
        return runtime.write_kit(request)
    except (Exception, SystemExit) as error:
        plugin = job.registry.provider_of("runtime", runtime.name)
        raise_as_plugin_error(error, plugin, f"write_kit() of runtime {runtime.name!r}")


def _evaluation_batch(job: Job) -> int:
    return job.spec.fixed_batch or job.request.evaluation_batch


def _preprocessed(prepared: Iterable[Prepared], advance: Callable[[int], None]) -> Generator[Preprocessed, None, None]:
    for one in prepared:
        yield one.index, next(iter(one.arrays.values()), None), str(one.reason)
        advance(1)
