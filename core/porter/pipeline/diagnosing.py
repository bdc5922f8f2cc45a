"""diagnose: where the accuracy of a run went: weights, preprocessing, labels, the model or the runtime."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.runtime import OpenRequest, Session
from porter.diagnose.conclude import NOTHING, conclude
from porter.diagnose.preprocessing.explain import explain_preprocessing
from porter.documents.drawings.depth_axes import depth_chart
from porter.errors import PorterError
from porter.files.whole import write_whole
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.looking_inside import AFRESH, Afresh, looked_inside
from porter.pipeline.verify import preprocess_samples
from porter.records.artefact import Artefact
from porter.records.diagnosed import Diagnosis, NotProbed, SameTensors
from porter.records.diagnosis import GraphDiagnosis
from porter.records.record import RunRecord
from porter.runfolder.layout import depth_chart_of

IMAGES, PREPROCESS_IMAGES = 32, 6


def diagnosed(job: Job, record: RunRecord) -> RunRecord:
    """Find where the accuracy went, and write it into the documents as well; fills `diagnosis`."""
    return deliver_documents(job, replace(record, diagnosis=diagnose(job, record)))


def diagnose(job: Job, record: RunRecord) -> Diagnosis:
    """Run every form of the model on the same tensors, then compare what can be probed node by node.

    The model is exported afresh beside the run, so that a file that somebody edited shows against it.
    """
    images = readable(job.data, IMAGES)
    with job.progress.step("diagnose: preprocessing"):
        finding = explain_preprocessing(preprocess_samples(job, images[:PREPROCESS_IMAGES]), job.spec.preprocess)
    with tempfile.TemporaryDirectory(prefix="porter-diagnose-") as folder:
        fresh = Afresh(job, Path(folder))
        plain = fresh.at(job.opset)
        with job.progress.step("diagnose: the same tensors through every form"):
            forms = _forms(job, record, images, plain)
        found = [looked_inside(job, record, artefact, fresh, images) for artefact in record.artefacts]
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


def _chart(folder: Path, graph: GraphDiagnosis) -> str:
    name = depth_chart_of(graph.candidate)
    write_whole(folder / name, depth_chart(graph))
    return name
