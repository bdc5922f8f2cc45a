"""quantize: the int8 graph of a run, from a float graph of opset 13 or later, and the report of its search."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from porter.data.content import content_sha256
from porter.data.selection import evenly_spaced
from porter.errors import BadInput
from porter.files.hashes import file_digest
from porter.files.whole import whole_file
from porter.graphs.quantize.int8_graph import MIN_OPSET, float_graph
from porter.graphs.quantize.qdq import products_overflow
from porter.pipeline.export import export_to
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.targets import takes_int8_graph
from porter.pipeline.keys import attempts_key
from porter.pipeline.precision.attempts import Attempts
from porter.pipeline.precision.calibration_images import calibrate_on, calibration_manifest
from porter.pipeline.precision.search import Search
from porter.pipeline.precision.trial import score
from porter.records.evaluation import Metric
from porter.records.precision import INT8
from porter.records.quantization import Quantization
from porter.records.record import RunRecord
from porter.runfolder.layout import ATTEMPTS as FOLDER
from porter.runfolder.layout import MODELS

SEARCH_IMAGES = 1000
"""Attempts are scored on so many images at most; the verdict is on all."""
EXPORT_OPSET = 17
"""Opset of the graph that is quantised, where the delivered one is too old."""


def quantize(job: Job, record: RunRecord) -> RunRecord:
    """Search an int8 graph that passes the gate in every runtime that int8 was asked for; fills `quantization`.

    Writes models/NAME-int8.onnx: the first that passes, or the one that loses least, which the verdict then fails.
    Raises `BadInput` where the model cannot be quantised, or there is nothing to calibrate on.
    """
    assert record.export is not None
    started = time.monotonic()
    source = job.folder / record.export.path
    runtimes = [runtime for runtime, precision in job.targets if takes_int8_graph(runtime, precision, job.spec)]
    (job.folder / MODELS).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=job.folder / MODELS, prefix=".int8.", suffix=".part") as place:
        graph = Path(place) / "float.onnx"
        exported = record.export.facts.opset >= MIN_OPSET
        with job.progress.step("float graph for int8"):
            opset = float_graph(source if exported else _export_again(job, Path(place)), graph)
        feeds, calibration = calibrate_on(job, calibration_manifest(job))
        searched = _searched(job)
        attempts = Attempts(
            job.folder / FOLDER,
            attempts_key(searched, graph, calibration, runtimes),
            lambda: content_sha256(searched.manifest),
        )
        reference = attempts.reference or _reference(searched, attempts)
        search = Search(searched, graph, feeds, attempts, runtimes, started + job.request.search_seconds)
        end = search.run()
        if not search.best.attempt.quantised_nodes:
            raise BadInput(search.best.attempt.problem or f"{source}: no node can be quantised to int8")
        target = job.folder / MODELS / f"{source.stem}-{INT8}.onnx"
        with whole_file(target) as temporary:
            shutil.copyfile(search.best.path, temporary)
    quantization = Quantization(
        path=str(target.relative_to(job.folder)),
        sha256=file_digest(target),
        size_bytes=target.stat().st_size,
        opset=opset,
        float_source="exported" if exported else "beside it",
        tool=_tool(),
        reduced_range=products_overflow(),
        calibration=calibration,
        images=len(searched.items),
        listed=len(job.data.items),
        metric=job.task.gate,
        reference=reference,
        allowed=job.request.max_drop,
        attempts=tuple(one.attempt for one in search.made),
        resumed=len(search.resumed),
        chosen=search.best.attempt.number,
        passed=search.best.attempt.passed,
        end=end,
        sensitivity=search.sensitivity,
        budget_seconds=job.request.search_seconds,
        seconds=round(time.monotonic() - started + sum(one.seconds for one in search.resumed), 3),
    )
    if not quantization.passed:
        job.progress.note(
            f"no int8 attempt stays within --max-drop {job.request.max_drop:g}; the one with the smallest drop is used"
        )
    return replace(record, quantization=quantization)


def _export_again(job: Job, folder: Path) -> Path:
    """The model at an opset that int8 needs, beside the delivered file: never a conversion of that."""
    path = folder / "exported.onnx"
    export_to(job, path, EXPORT_OPSET)
    return path


def _searched(job: Job) -> Dataset:
    """The images of the search."""
    items = job.data.items
    places = evenly_spaced(len(items), SEARCH_IMAGES)
    return Dataset(job, replace(job.data.manifest, items=tuple(items[place] for place in places)))


def _reference(data: Dataset, attempts: Attempts) -> Metric:
    """The gate metric of the model as it was loaded; with it the attempts begin."""
    scored = score(data, {"reference": data.job.reference}, "score the reference for int8")["reference"]
    if scored.metric is None:
        raise BadInput(f"the loaded model fails to run: {scored.problem}")
    attempts.begin(scored.metric, scored.content_sha256)
    return scored.metric


def _tool() -> str:
    import onnxruntime

    return f"onnxruntime.quantization {onnxruntime.__version__}"
