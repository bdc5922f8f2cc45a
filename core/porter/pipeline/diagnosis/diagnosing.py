"""diagnose: the failure of a run made again under its own conditions, and from there its cause."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.rows import single
from porter.contracts.runtime import OpenRequest, Session
from porter.diagnose.conclude import concluded, of_forms, of_graph, of_labels, of_preprocessing, of_record
from porter.diagnose.found import Found
from porter.documents.drawings.depth_axes import depth_chart
from porter.errors import PorterError
from porter.files.whole import write_whole
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.diagnosis.afresh import AFRESH, Afresh
from porter.pipeline.diagnosis.chosen_images import chosen_images
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.diagnosis.export_trial import export_trial
from porter.pipeline.diagnosis.looking_inside import looked_inside
from porter.pipeline.diagnosis.preprocess_trial import preprocess_trial, shared_buffer
from porter.pipeline.diagnosis.recorded_findings import with_recorded
from porter.pipeline.diagnosis.recorded_verdicts import recorded_verdicts, through_labels
from porter.pipeline.diagnosis.reference_trial import artefacts_sound, is_the_references, reference_poor
from porter.pipeline.diagnosis.same_file_trial import same_file_trial
from porter.pipeline.diagnosis.session_trials import reference_trial, session_trial
from porter.pipeline.diagnosis.weights_trial import weights_trial
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.judging import predictions_of
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.shapes import Prepared, source_of
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.judge.labels_say import contradicting
from porter.records.artefact import Artefact
from porter.records.diagnosed import Diagnosis, NotProbed, SameTensors
from porter.records.diagnosis import GraphDiagnosis
from porter.records.record import RunRecord
from porter.records.suspects import PreprocessFinding
from porter.runfolder.layout import depth_chart_of


def diagnosed(job: Job, record: RunRecord) -> RunRecord:
    """Find what failed and why, and write it into the documents as well; fills `diagnosis`."""
    return deliver_documents(job, replace(record, diagnosis=diagnose(job, record)))


def diagnose(job: Job, record: RunRecord) -> Diagnosis:
    """Start from the verdicts of the record, on the images and in the batches that failed.

    The model is exported afresh beside the run, so that a file that somebody edited shows against it.
    """
    conditions = Conditions(job, record, chosen_images(job.data, record))
    with job.progress.step("diagnose: preprocessing"):
        preprocessing = preprocess_trial(job, record)
    with tempfile.TemporaryDirectory(prefix="porter-diagnose-") as folder:
        fresh = Afresh(job, Path(folder))
        with job.progress.step("diagnose: the same tensors through every form"):
            forms = _forms(job, record, conditions.images, fresh.at(job.opset))
        parts = _trials(conditions, fresh)
        found = [looked_inside(job, record, artefact, fresh, conditions.images) for artefact in record.artefacts]
    graphs = [graph for graph in found if isinstance(graph, GraphDiagnosis)]
    conclusion = concluded(record, [*parts, *_of_sections(conditions, preprocessing, forms, graphs)])
    return Diagnosis(
        images=len(conditions.images),
        sound=not conclusion.findings,
        failed=conditions.failed,
        findings=conclusion.findings,
        ruled_out=conclusion.ruled_out,
        forms=tuple(forms),
        preprocessing=preprocessing,
        labels=record.label_suspects,
        graphs=tuple(graphs),
        not_probed=tuple(graph for graph in found if isinstance(graph, NotProbed)),
        charts=tuple(_chart(job.folder, graph) for graph in graphs),
    )


def _trials(conditions: Conditions, fresh: Afresh) -> list[Found]:
    """Each trial, in the order of the data."""
    job, artefacts = conditions.job, conditions.record.artefacts
    parts = [of_record(conditions.record), recorded_verdicts(conditions), shared_buffer(conditions)]
    with job.progress.step("diagnose: compare PyTorch modules with a new export"):
        exported = export_trial(conditions, fresh)
        parts += [reference_trial(conditions), exported]
    with job.progress.step("diagnose: repeat the sessions of the run"):
        for artefact in artefacts:
            tried = session_trial(conditions, artefact)
            parts.append(with_recorded(conditions, artefact, tried))
            if not tried.findings:  # else there are no numbers to compare
                parts.append(same_file_trial(conditions, artefact, sound=not exported.findings))
    labelled = conditions.record.tried
    if is_the_references(conditions.record) or (labelled is not None and contradicting(labelled)):
        with job.progress.step("diagnose: try other weights"):
            parts.append(weights_trial(conditions))
    return [*parts, *through_labels(conditions)]


def _of_sections(
    conditions: Conditions,
    preprocessing: PreprocessFinding | None,
    forms: Sequence[SameTensors],
    graphs: Sequence[GraphDiagnosis],
) -> list[Found]:
    record = conditions.record
    exact = {one.id: conditions.bound(one).binding for one in record.artefacts}
    return [
        of_preprocessing(record, preprocessing),
        *(of_graph(record, graph, exact=exact[graph.candidate]) for graph in graphs),
        of_forms(record, forms),
        of_labels(record, record.label_suspects),
        reference_poor(conditions),
        artefacts_sound(conditions),
    ]


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
    answers, predictions = Answers(), []
    for one in images:
        outputs = infer(job, session, single(one.arrays))
        [prediction] = predictions_of(job, outputs, [source_of(one, job.data.items)])
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
    compared = None if reference is None else changes(job.task, items, reference[0], answered[0])
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
