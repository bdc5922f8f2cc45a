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
from porter.contracts.runtime import OpenRequest, Session
from porter.diagnose.conclude import NOTHING, conclude
from porter.diagnose.preprocessing.explain import explain_preprocessing
from porter.documents.drawings.depth_axes import depth_chart
from porter.errors import PorterError
from porter.files.whole import write_whole
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnxfile import facts_of
from porter.graphs.probe import OnnxProbe
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.evaluation.infer import Listener, infer
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.prepare import Prepared, readable
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.judge.tolerance import bound_for
from porter.pipeline.verify import preprocess_samples
from porter.records.artefact import Artefact
from porter.records.diagnosed import Diagnosis, SameTensors
from porter.records.diagnosis import GraphDiagnosis
from porter.records.record import RunRecord

IMAGES, PREPROCESS_IMAGES, GRAPH_IMAGES = 32, 6, 2
AFRESH = "exported afresh"


def diagnosed(job: Job, record: RunRecord) -> RunRecord:
    """Find where the accuracy went, and write it into the documents as well; fills `diagnosis`."""
    return deliver_documents(job, replace(record, diagnosis=diagnose(job, record)))


def diagnose(job: Job, record: RunRecord) -> Diagnosis:
    """Run every form of the model on the same tensors, then compare the graphs node by node.

    The model is exported afresh beside the run, so that a file that somebody edited shows against it.
    """
    images = readable(job.data, IMAGES)
    with job.progress.step("diagnose: preprocessing"):
        finding = explain_preprocessing(preprocess_samples(job, images[:PREPROCESS_IMAGES]), job.spec.preprocess)
    with _exported_afresh(job) as fresh:
        with job.progress.step("diagnose: the same tensors through every form"):
            forms = _forms(job, record, images, fresh)
        graphs = [
            _graph(job, artefact, fresh, images) for artefact in record.artefacts if artefact.path.endswith(".onnx")
        ]
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
            with closing(open_artefact(job, built, check=False)) as session:
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
    items = [job.data.items[one.index] for one in images]
    scorer = job.task.scorer(job.spec, job.data.manifest)
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


def _graph(job: Job, artefact: Artefact, fresh: Path, images: Sequence[Prepared]) -> GraphDiagnosis:
    """The graph exported afresh against the artefact's, on what the model's own `porter_infer` feeds it."""
    import numpy as np

    reference = OnnxProbe.read(fresh, threads=job.threads)
    candidate = OnnxProbe.read(job.folder / artefact.path, threads=job.threads)
    reference.label, candidate.label = AFRESH, artefact.id
    size = artefact.batch or _fixed_batch(candidate) or GRAPH_IMAGES
    arrays = [images[k % len(images)].array for k in range(size)]
    fed = Listener(job).hear(np.stack([array for array in arrays if array is not None]))
    feed = {job.spec.inputs[0].name: fed}
    operators = Counter(node.op_type for node in reference.graph.nodes)
    bound = bound_for(job.request, job.precision(artefact.precision), operators)
    return diagnose_graphs(reference, candidate, [feed], tolerance=bound.tolerance, progress=job.progress)


def _fixed_batch(probe: OnnxProbe) -> int | None:
    """The batch that a graph is fixed to, whatever it was built for: somebody may have edited it."""
    sizes = [tensor.shape[:1] for tensor in facts_of(probe.graph.model, 0).inputs]
    return next((size for (size,) in filter(None, sizes) if isinstance(size, int)), None)


def _chart(folder: Path, graph: GraphDiagnosis) -> str:
    name = f"diagnosis-{graph.candidate}.svg"
    write_whole(folder / name, depth_chart(graph))
    return name
