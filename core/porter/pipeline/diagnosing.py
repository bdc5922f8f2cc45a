"""diagnose: where the accuracy of a run went: weights, preprocessing, labels, the model or the runtime."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.requests import ExportRequest
from porter.contracts.runtime import OpenRequest, ProbeRequest, Session
from porter.diagnose.conclude import NOTHING, conclude
from porter.diagnose.preprocessing.explain import explain_preprocessing
from porter.diagnose.probing import open_probe
from porter.documents.drawings.depth_axes import depth_chart
from porter.errors import PorterError
from porter.files.hashes import file_digest
from porter.files.whole import write_whole
from porter.graphs.graph import Graph
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.onnxfile import facts_of
from porter.pipeline.evaluation.infer import Listener, infer
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.prepare import Prepared, readable
from porter.pipeline.job.job import Job
from porter.pipeline.job.targets import takes_int8_graph
from porter.pipeline.judge.tolerance import bound_for
from porter.pipeline.verify import preprocess_samples
from porter.records.artefact import Artefact
from porter.records.diagnosed import Diagnosis, NotProbed, SameTensors
from porter.records.diagnosis import GraphDiagnosis
from porter.records.exported import ExportReport
from porter.records.message import Message, Text
from porter.records.quantization import Quantization
from porter.records.record import RunRecord

IMAGES, PREPROCESS_IMAGES, GRAPH_IMAGES = 32, 6, 2
AFRESH = "exported afresh"


def diagnose(job: Job, record: RunRecord) -> Diagnosis:
    """Run every form of the model on the same tensors, then compare what can be probed node by node.

    The model is exported afresh beside the run, so that a file that somebody edited shows against it.
    """
    images = readable(job, IMAGES)
    with job.progress.step("diagnose: preprocessing"):
        finding = explain_preprocessing(preprocess_samples(job, images[:PREPROCESS_IMAGES]), job.spec.preprocess)
    with tempfile.TemporaryDirectory(prefix="porter-diagnose-") as folder:
        fresh = _Afresh(job, Path(folder))
        plain = fresh.at(job.opset)
        with job.progress.step("diagnose: the same tensors through every form"):
            forms = _forms(job, record, images, plain)
        found = [_probed(job, record, artefact, fresh, images) for artefact in record.artefacts]
    graphs = [graph for graph in found if isinstance(graph, GraphDiagnosis)]
    charts = tuple(_chart(job.folder, graph) for graph in graphs)
    conclusion = conclude(record, forms, finding, record.label_suspects, graphs)
    return Diagnosis(
        images=len(images),
        sound=not conclusion,
        conclusion=conclusion or (NOTHING,),
        forms=tuple(forms),
        preprocessing=finding,
        labels=record.label_suspects,
        graphs=tuple(graphs),
        not_probed=tuple(graph for graph in found if isinstance(graph, NotProbed)),
        charts=charts,
    )


class _Afresh:
    """The model exported afresh into a folder, once at each opset that is asked for."""

    def __init__(self, job: Job, folder: Path) -> None:
        self._job, self._folder = job, folder

    def at(self, opset: int) -> Path:
        path = self._folder / str(opset) / "afresh.onnx"
        if not path.exists():
            path.parent.mkdir()
            with self._job.progress.step(f"diagnose: export afresh at opset {opset}"):
                self._job.hooks.export(self._job.loaded, ExportRequest(path=path, opset=opset))
        return path


def _forms(job: Job, record: RunRecord, images: Sequence[Prepared], fresh: Path) -> list[SameTensors]:
    base = _answers(job, job.reference, images)
    forms = [_form(job, images, "reference", base, None)]
    artefact = Artefact(runtime="onnxruntime", precision="fp32", path=fresh.name)
    request = OpenRequest(artefact=artefact, path=fresh, spec=job.spec, threads=job.threads)
    with closing(OnnxRuntimeSession(request, optimise=False)) as session:
        forms.append(_form(job, images, AFRESH, _answers(job, session, images), base))
    for built in record.artefacts:
        try:
            with closing(job.open(built, check=False)) as session:
                forms.append(_form(job, images, built.id, _answers(job, session, images), base))
        except PorterError as error:
            forms.append(SameTensors(name=built.id, metrics=(), changes=None, problem=str(error)))
    return forms


def _answers(job: Job, session: Session, images: Sequence[Prepared]) -> tuple[Answers, list[object]]:
    import numpy as np

    answers, predictions = Answers(), []
    for one in images:
        assert one.array is not None
        outputs = infer(job, session, one.array[np.newaxis])
        finite = all(np.isfinite(values).all() for values in outputs.values() if values.dtype.kind == "f")
        prediction = job.hooks.postprocess(outputs, job.spec)[0] if finite else None
        answers.add(job.task, prediction)
        predictions.append(prediction)
    return answers, predictions


def _form(
    job: Job,
    images: Sequence[Prepared],
    name: str,
    answered: tuple[Answers, list[object]],
    reference: tuple[Answers, list[object]] | None,
) -> SameTensors:
    items = [job.manifest.items[one.index] for one in images]
    scorer = job.task.scorer(job.spec, job.manifest)
    for item, prediction in zip(items, answered[1], strict=True):
        scorer.add(item, prediction)
    compared = None if reference is None else changes(items, reference[0], answered[0])
    return SameTensors(
        name=name,
        metrics=scorer.metrics(),
        changes=compared,
        images=len(items),
        nonfinite=sum(prediction is None for prediction in answered[1]),
    )


def _probed(
    job: Job, record: RunRecord, artefact: Artefact, fresh: _Afresh, images: Sequence[Prepared]
) -> GraphDiagnosis | NotProbed:
    """The graph exported afresh against the artefact, or why there is no looking inside."""
    reason: Text
    try:
        runtime = job.registry.runtime(artefact.runtime)
        if not runtime.probes:
            reason = Message("runtime {runtime} gives no values inside a graph", runtime=runtime.name)
            return NotProbed(artefact=artefact.id, reason=reason)
        made_from = _made_from(job, record, artefact)
        source = _source(job.folder, artefact, made_from)
        if source is None:
            reason = Message("the ONNX file that it was built from has changed since")
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
        opset = made_from.opset if isinstance(made_from, Quantization) else job.opset
        return _compared(job, request, artefact, fresh.at(opset), images)
    except PorterError as error:
        return NotProbed(artefact=artefact.id, reason=str(error))


def _made_from(job: Job, record: RunRecord, artefact: Artefact) -> ExportReport | Quantization:
    """What was built from: the export, or porter's own int8 graph."""
    int8 = takes_int8_graph(job.registry.runtime(artefact.runtime), artefact.precision)
    assert record.export is not None
    return record.quantization if int8 and record.quantization is not None else record.export


def _source(folder: Path, artefact: Artefact, made_from: ExportReport | Quantization) -> Path | None:
    """The ONNX file behind an artefact: itself, or what it was built from; None where that is no longer the file."""
    if artefact.path.endswith(".onnx"):
        return folder / artefact.path
    path = folder / made_from.path
    return path if file_digest(path) == made_from.sha256 else None


def _compared(
    job: Job, request: ProbeRequest, artefact: Artefact, fresh: Path, images: Sequence[Prepared]
) -> GraphDiagnosis:
    """On what the model's own `porter_infer` feeds the artefact."""
    import numpy as np

    reference = OnnxProbe.read(fresh, threads=job.threads)
    reference.label = AFRESH
    candidate, behind = open_probe(job.registry, artefact.runtime, request)
    with closing(candidate):
        size = artefact.batch or _fixed_batch(behind) or GRAPH_IMAGES
        arrays = [images[k % len(images)].array for k in range(size)]
        fed = Listener(job).hear(np.stack([array for array in arrays if array is not None]))
        feed = {job.spec.inputs[0].name: fed}
        operators = Counter(node.op_type for node in reference.graph.nodes)
        bound = bound_for(job.request, job.precision(artefact.precision), operators)
        found = diagnose_graphs(
            reference, candidate, [feed], behind=behind, tolerance=bound.tolerance, progress=job.progress
        )
    return replace(found, candidate=artefact.id)


def _fixed_batch(graph: Graph) -> int | None:
    """The batch that a graph is fixed to, whatever it was built for: somebody may have edited it."""
    sizes = [tensor.shape[:1] for tensor in facts_of(graph.model, 0).inputs]
    return next((size for (size,) in filter(None, sizes) if isinstance(size, int)), None)


def _chart(folder: Path, graph: GraphDiagnosis) -> str:
    name = f"diagnosis-{graph.candidate}.svg"
    write_whole(folder / name, depth_chart(graph))
    return name
