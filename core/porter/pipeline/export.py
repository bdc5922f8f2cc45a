"""export: the module to one ONNX file, which is read again and checked before it takes its name."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from porter.contracts.requests import Exported, ExportRequest
from porter.errors import BadInput, PluginError, one_line
from porter.files.hashes import file_digest
from porter.files.whole import whole_file
from porter.graphs.onnxfile import check_onnx, export_problems, facts_of, read_onnx
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import inputs_of
from porter.pipeline.load import check_digests, load
from porter.records.exported import ExportReport, OnnxFacts
from porter.records.message import Message
from porter.records.record import RunRecord
from porter.runfolder.layout import MODELS
from porter.runfolder.sections import clear, stale_after

LONGEST_NAME = 50
"""Characters of a file name, each of up to four bytes; file systems take 255."""


def load_and_export(job: Job, record: RunRecord) -> RunRecord:
    """The checkpoint to a checked ONNX file; fills what `load` and `export` fill, and clears all that came of others.

    Where the checkpoint does not load, the verdict "weights" fails and the documents say why; the error is raised all
    the same.
    """
    check_digests(job)
    record = clear(record, stale_after(["load"]))
    try:
        record = load(job, record)
    except (BadInput, PluginError) as error:
        deliver_documents(job, replace(record, load_failure=str(error), model=job.spec, inputs=inputs_of(job)))
        raise
    return export(job, record)


def export(job: Job, record: RunRecord) -> RunRecord:
    """Write and check models/MODEL_VARIANT.onnx; fills `export`. A file that fails a check is not kept."""
    target = job.folder / MODELS / onnx_name(job)
    started = time.perf_counter()
    with job.progress.step(f"export at opset {job.opset}"), whole_file(target) as temporary:
        exported, facts = export_to(job, temporary, job.opset)
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
                Message("opset {opset} as requested", opset=facts.opset),
                _shapes_checked(job),
                Message("no BatchNormalization or Dropout in training mode"),
                Message("one self-contained file under 2 GiB"),
                Message("onnx.checker with shape inference"),
            ),
        ),
    )


def export_to(job: Job, path: Path, opset: int) -> tuple[Exported, OnnxFacts]:
    """Write the model at an opset, and check the file. Raises `PluginError` where it is not what was asked for."""
    exported = job.hooks.export(job.loaded, ExportRequest(path=path, opset=opset))
    if exported.path != path or not path.exists() or not path.stat().st_size:
        raise PluginError(f"plugin {job.hooks.plugin!r}: porter_export wrote nothing to the path it was given")
    model = read_onnx(path)
    facts = facts_of(model, path.stat().st_size)
    problems = export_problems(facts, model, job.loaded.spec, opset, dynamic=True)
    if problems:
        giver = job.hooks.giver("porter_export" if job.hooks.implementer("porter_export") else "porter_load")
        raise PluginError(f"{giver}: export check failed: {one_line('; '.join(problems))}")
    check_onnx(path, exported.source or job.folder / MODELS / onnx_name(job))
    return exported, facts


def _shapes_checked(job: Job) -> Message:
    fixed = job.loaded.spec.fixed_batch
    if fixed is None:
        return Message("names, types and shapes of inputs and outputs as declared, with dynamic batch")
    return Message(
        "names, types and shapes of inputs and outputs as declared, with batch fixed to {batch}",
        batch=fixed,
    )


def onnx_name(job: Job) -> str:
    """File name of the exported model, from its name and variant, with nothing that a shell or path could mind."""
    variant = "" if job.spec.variant in ("", job.spec.name) else f"_{job.spec.variant}"
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in f"{job.spec.name}{variant}")
    return f"{safe.lstrip('.')[:LONGEST_NAME] or 'model'}.onnx"
