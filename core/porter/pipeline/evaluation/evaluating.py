"""evaluating: the reference and every artefact over the manifest, and what comes of it in the record."""

from __future__ import annotations

from dataclasses import replace

from porter.pipeline.accuracy_files import write_accuracy_files
from porter.pipeline.evaluation.evaluate import Pass, evaluate, predictions_file
from porter.pipeline.evaluation.executors.base import EvaluationExecutor, Work
from porter.pipeline.evaluation.executors.local import Local
from porter.pipeline.evaluation.judging import NONFINITE_REASON
from porter.pipeline.evaluation.scoring import FAILURES_KEPT
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import subjects
from porter.pipeline.evaluation.suspecting import suspected
from porter.pipeline.evaluation.thumbnails import with_thumbnails
from porter.pipeline.evaluation.written_arrays import write_outputs, write_tensors
from porter.pipeline.failing import failed, faults, retried
from porter.pipeline.job.job import Job
from porter.pipeline.judge import verdicts
from porter.pipeline.judge.tolerance import bound_of
from porter.records.evaluation import Failure
from porter.records.record import RunRecord
from porter.records.unfinished import Failing
from porter.runfolder.sections import clear


def score_all(job: Job, record: RunRecord, *, from_files: bool = False) -> RunRecord:
    """Score the reference and every artefact; fills `evaluations`, `comparisons` and what goes with them, and
    `unfinished` with the artefacts whose runtime fails.

    `from_files`: whether tensors and outputs that an earlier command left are used; else the whole path is measured.
    """
    # Alone, a stage tries again what failed before; in a run that would fail, or hang, once more.
    stages = [Failing.VERIFY, Failing.EVALUATE] if from_files else [Failing.EVALUATE]
    record = retried(clear(record, ["choice"]), stages)
    executor = job.executor if isinstance(job.executor, EvaluationExecutor) else Local()
    passes = list[Pass]()
    sources = Sources(job, record, from_files=from_files and executor.reads_files)
    with predictions_file(job) as sink:
        for subject in subjects(record):
            reference = passes[0].answers if passes else None
            bound = (
                None
                if subject.artefact is None
                else bound_of(job.request, job.precision(subject.artefact.precision), record)
            )
            work = Work(job=job, subject=subject, sources=sources, start=0, bound=bound)
            try:
                with sink.whole():
                    passes.append(evaluate(work, executor, sink, reference=reference))
            except faults(record) as error:
                if subject.artefact is None:
                    raise
                record = failed(record, Failing.EVALUATE, subject.name, error)
    record = replace(
        _with_data(record, passes[0]),
        environment=job.environment,  # of the figures just measured
        audit=passes[0].audit,
        evaluations=with_thumbnails(job, [one.evaluation for one in passes], [one.answers.answers for one in passes]),
    )
    record = suspected(job, record, passes[0])
    record = verdicts.compare(record, job.spec, job.task, job.data.manifest)
    return write_accuracy_files(job, record, passes[1].evaluation) if len(passes) > 1 else record


def preprocess_all(job: Job, record: RunRecord) -> RunRecord:
    """Write the preprocessed tensors of every image of the manifest to `tensors/`; those that hold are kept."""
    entries = write_tensors(job, Sources(job, record, from_files=True))
    failed = [Failure(id=entry.id, reason=entry.reason) for entry in entries if entry.reason]
    assert record.data is not None
    data = replace(
        record.data,
        decoded=len(entries) - len(failed),
        failed=len(failed),
        failures=tuple(failed[:FAILURES_KEPT]),
    )
    return replace(record, data=data)


def infer_all(job: Job, record: RunRecord) -> RunRecord:
    """Write the outputs of the reference and of every artefact, for every image, to `outputs/`; those that hold are
    kept."""
    sources = Sources(job, record, from_files=True)
    for subject in subjects(record):
        write_outputs(job, sources, subject)
    return record


def _with_data(record: RunRecord, first: Pass) -> RunRecord:
    """What reading the images said of them."""
    evaluation = first.evaluation
    assert record.data is not None and evaluation.unreadable is not None  # it was made here
    data = replace(
        record.data,
        decoded=evaluation.listed - evaluation.unreadable,
        failed=evaluation.unreadable,
        failures=tuple(f for f in evaluation.failures if f.reason != NONFINITE_REASON),
        conversions=first.conversions,
        content_sha256=first.content_sha256,
    )
    return replace(record, data=data)
