"""diagnose: where the accuracy of a run went: weights, preprocessing, labels, the model or the runtime."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.requests import ExportRequest
from porter.contracts.runtime import OpenRequest, ProbeRequest, Session
from porter.diagnose.conclude import NOTHING, conclude
from porter.diagnose.preprocessing.explain import explain_preprocessing
from porter.diagnose.probing import graph_behind, open_probe
from porter.documents.drawings.depth_axes import depth_chart
from porter.errors import PorterError
from porter.files.hashes import file_digest
from porter.files.whole import write_whole
from porter.graphs.graph import Graph
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnxfile import facts_of
from porter.graphs.probe import OnnxProbe
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
    with _exported_afresh(job) as fresh:
        with job.progress.step("diagnose: the same tensors through every form"):
            forms = _forms(job, record, images, fresh)
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


@contextmanager
def _exported_afresh(job: Job) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="porter-diagnose-") as folder:
        path = Path(folder) / "afresh.onnx"
        with job.progress.step("diagnose: export afresh"):
            job.hooks.export(job.loaded, ExportRequest(path=path, opset=job.opset))
        yield path


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
    job: Job, record: RunRecord, artefact: Artefact, fresh: Path, images: Sequence[Prepared]
) -> GraphDiagnosis | NotProbed:
    """The graph exported afresh against the artefact, or why there is no looking inside."""
    reason: Text
    try:
        runtime = job.registry.runtime(artefact.runtime)
        if not runtime.probes:
            reason = Message("runtime {runtime} gives no values inside a graph", runtime=runtime.name)
            return NotProbed(artefact=artefact.id, reason=reason)
        source = _source(job, record, artefact)
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
        return _compared(job, request, artefact, fresh, images)
    except PorterError as error:
        return NotProbed(artefact=artefact.id, reason=str(error))


def _source(job: Job, record: RunRecord, artefact: Artefact) -> Path | None:
    """The ONNX file behind an artefact: itself, or what it was built from; None where that is no longer the file."""
    if artefact.path.endswith(".onnx"):
        return job.folder / artefact.path
    built_from: ExportReport | Quantization | None = record.export
    if takes_int8_graph(job.registry.runtime(artefact.runtime), artefact.precision):
        built_from = record.quantization or record.export
    assert built_from is not None
    path = job.folder / built_from.path
    return path if file_digest(path) == built_from.sha256 else None


def _compared(
    job: Job, request: ProbeRequest, artefact: Artefact, fresh: Path, images: Sequence[Prepared]
) -> GraphDiagnosis:
    """On what the model's own `porter_infer` feeds the artefact."""
    import numpy as np

    reference = OnnxProbe.read(fresh, threads=job.threads)
    reference.label = AFRESH
    with closing(open_probe(job.registry, artefact.runtime, request)) as candidate:
        behind = graph_behind(candidate, request)
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
