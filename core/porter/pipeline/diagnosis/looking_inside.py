"""What an artefact computes inside, held against a fresh export of the model node by node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from porter.contracts.rows import stacked
from porter.contracts.runtime import ProbeRequest
from porter.diagnose.probing import open_probe
from porter.errors import PorterError
from porter.files.hashes import file_digest
from porter.graphs.graph import Graph
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.onnxfile import facts_of, onnx_within
from porter.pipeline.diagnosis.afresh import AFRESH, Afresh
from porter.pipeline.diagnosis.conditions import alike
from porter.pipeline.evaluation.infer import Listener
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.targets import takes_int8_graph
from porter.pipeline.judge.tolerance import bound_for
from porter.records.artefact import Artefact
from porter.records.diagnosed import NotProbed
from porter.records.diagnosis import GraphDiagnosis
from porter.records.exported import ExportReport
from porter.records.message import Message, Text
from porter.records.quantization import Quantization
from porter.records.record import RunRecord

IMAGES = 2


def looked_inside(
    job: Job, record: RunRecord, artefact: Artefact, fresh: Afresh, images: Sequence[Prepared]
) -> GraphDiagnosis | NotProbed:
    """The graph exported afresh against the artefact, or why there is no looking inside."""
    reason: Text
    try:
        runtime = job.registry.runtime(artefact.runtime)
        if not runtime.probes:
            reason = Message("runtime {runtime} does not provide values inside the graph", runtime=runtime.name)
            return NotProbed(artefact=artefact.id, reason=reason)
        origin = made_from(job, record, artefact)
        source = source_of(job.folder, artefact, origin)
        if source is None:
            reason = Message("the ONNX file that it was built from has changed")
            return NotProbed(artefact=artefact.id, reason=reason)
        request = ProbeRequest(
            onnx=source,
            precision=artefact.precision,
            threads=job.threads,
            artefact=artefact,
            path=job.folder / artefact.path,
            spec=job.spec,
            target=runtime.target(job.request.target_of(runtime.name)),
            options=artefact.options,
        )
        # Porter's own int8 graph is made from another export where int8 needs a later opset than was asked for.
        opset = origin.opset if isinstance(origin, Quantization) else job.opset
        return _compared(job, request, artefact, fresh.at(opset), images)
    except PorterError as error:
        return NotProbed(artefact=artefact.id, reason=str(error))


def made_from(job: Job, record: RunRecord, artefact: Artefact) -> ExportReport | Quantization:
    """What was built from: the export, or porter's own int8 graph."""
    int8 = takes_int8_graph(job.registry.runtime(artefact.runtime), artefact.precision, job.spec)
    assert record.export is not None
    return record.quantization if int8 and record.quantization is not None else record.export


def source_of(folder: Path, artefact: Artefact, made_from: ExportReport | Quantization) -> Path | None:
    """The ONNX file behind an artefact: itself, or what it was built from; None where that is no longer the file."""
    if artefact.path.endswith(".onnx") or onnx_within(folder / artefact.path) is not None:
        return folder / artefact.path
    path = folder / made_from.path
    return path if file_digest(path) == made_from.sha256 else None


def _compared(
    job: Job, request: ProbeRequest, artefact: Artefact, fresh: Path, images: Sequence[Prepared]
) -> GraphDiagnosis:
    """On what the model's own `porter_infer` feeds the artefact."""
    reference = OnnxProbe.read(fresh, threads=job.threads)
    reference.label = AFRESH
    candidate, behind = open_probe(job.registry, artefact.runtime, request)
    with closing(candidate):
        size = artefact.batch or _fixed_batch(behind) or IMAGES
        same = alike(images)
        feed = Listener(job).hear(stacked([same[k % len(same)].arrays for k in range(size)]))
        operators = Counter(node.op_type for node in reference.graph.nodes)
        precision = job.precision(artefact.precision)
        bound = bound_for(job.request, precision, operators)
        # A quantiser of the runtime's own may keep its values in float32, where no type tells what it rounded to.
        own = artefact.precision in job.registry.runtime(artefact.runtime).calibrates
        found = diagnose_graphs(
            reference,
            candidate,
            [feed],
            behind=behind,
            tolerance=bound.tolerance,
            rounding=precision.unit_roundoff if own else 0.0,
            progress=job.progress,
        )
    return replace(found, candidate=artefact.id)


def _fixed_batch(graph: Graph) -> int | None:
    """The batch that a graph is fixed to, whatever it was built for: somebody may have edited it."""
    sizes = [tensor.shape[:1] for tensor in facts_of(graph.model, 0).inputs]
    return next((size for (size,) in filter(None, sizes) if isinstance(size, int)), None)
