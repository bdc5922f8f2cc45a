"""export: the module to one ONNX file, which is read again and checked before it takes its name."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from porter.contracts.requests import ExportRequest
from porter.errors import BadInput, PluginError, one_line
from porter.hashes import file_digest
from porter.onnxfile import check_onnx, export_problems, facts_of, read_onnx
from porter.records.export import ExportReport
from porter.records.run import RunRecord
from porter.records.store import whole_file
from porter.stages.job import Job

MODELS = "models"


def export(job: Job, record: RunRecord) -> RunRecord:
    """Write and check models/MODEL_VARIANT.onnx; fills `export`. A file that fails a check is not kept."""
    target = job.folder / MODELS / onnx_name(job)
    started = time.perf_counter()
    with job.progress.step(f"export at opset {job.opset}"), whole_file(target) as temporary:
        exported = job.hooks.export(job.loaded, ExportRequest(path=temporary, opset=job.opset))
        if exported.path != temporary or not temporary.stat().st_size:
            raise PluginError(f"plugin {job.hooks.plugin!r}: porter_export wrote nothing to the path it was given")
        model = read_onnx(temporary)
        facts = facts_of(model, temporary.stat().st_size)
        problems = export_problems(facts, model, job.loaded.spec, job.opset, dynamic=True)
        if problems:
            raise BadInput(f"the exported file is not what was asked for: {one_line('; '.join(problems))}")
        check_onnx(temporary)
        seconds = time.perf_counter() - started
    return replace(
        record,
        export=ExportReport(
            path=str(Path(MODELS) / target.name),
            sha256=file_digest(target),
            exporter=exported.exporter,
            call=exported.call,
            seconds=round(seconds, 3),
            facts=facts,
            checks=(
                f"opset {facts.opset} as asked",
                f"names, types and shapes of inputs and outputs as the model declares, {_batch_words(job)}",
                "no BatchNormalization or Dropout in training mode",
                "one self-contained file under 2 GiB",
                "onnx.checker with shape inference",
            ),
        ),
    )


def _batch_words(job: Job) -> str:
    fixed = job.loaded.spec.fixed_batch
    return "with a free batch" if fixed is None else f"with the batch fixed to {fixed}"


def onnx_name(job: Job) -> str:
    """File name of the exported model, from its name and variant, with nothing that a shell or path could mind."""
    variant = "" if job.spec.variant in ("", job.spec.name) else f"_{job.spec.variant}"
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{job.spec.name}{variant}")
    return f"{safe.lstrip('.') or 'model'}.onnx"
