"""evaluate: outputs to predictions to metrics, in one pass over the manifest and in bounded memory."""

from __future__ import annotations

import csv
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TextIO

from porter.errors import PluginError
from porter.files.outward import cell
from porter.files.whole import whole_file
from porter.machine.clock import now
from porter.machine.statistics import wilson
from porter.pipeline.evaluation.auditing import Audit
from porter.pipeline.evaluation.executors.base import Answering, EvaluationExecutor, Work
from porter.pipeline.evaluation.journal import Journal
from porter.pipeline.evaluation.output_passes import ArtefactPass, OutputPass, ReferencePass
from porter.pipeline.evaluation.prediction_changes import Answers, changes
from porter.pipeline.evaluation.resampling import interval_of, resampled
from porter.pipeline.evaluation.scoring import Scoring, Sink, gate_metric
from porter.pipeline.evaluation.shapes import HEADER, NONFINITE, OK, UNREADABLE, JudgedBatch
from porter.pipeline.evaluation.sources import IMAGES
from porter.pipeline.evaluation.subject import REFERENCE, Subject
from porter.pipeline.evaluation.unanswered import of_the_model
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import require_built
from porter.pipeline.session_checks.in_session import merged
from porter.records.artefact import SessionInfo
from porter.records.audited import DataAudit
from porter.records.coverage import SettingCheck
from porter.records.evaluation import EndToEnd, Evaluation, Execution, Metric, StageTime
from porter.records.message import Message
from porter.records.suspects import LabelFinding
from porter.runfolder.layout import OUTPUTS, PREDICTIONS


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one pass over the manifest leaves behind."""

    evaluation: Evaluation
    answers: Answers
    conversions: dict[str, int]
    content_sha256: str
    audit: DataAudit | None
    """Of the reference; None: of an artefact, for which the images are the same."""
    label_faults: tuple[LabelFinding, ...] = ()
    """What the scorer says of the labels; of the reference."""
    turned: Sequence[int] = ()
    """Places of the images with an EXIF orientation; of the reference."""


class Predictions:
    """The rows of predictions.csv, those of one evaluation whole or not at all."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._write = csv.writer(stream, lineterminator="\n").writerow

    def __call__(self, row: Sequence[Any]) -> object:
        return self._write([cell(str(value)) for value in row])

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Take back what was written since where the block fails."""
        start = self._stream.tell()
        try:
            yield
        except BaseException:
            self._stream.seek(start)
            self._stream.truncate()
            raise


@contextmanager
def predictions_file(job: Job) -> Iterator[Predictions]:
    """predictions.csv with its header; it appears whole when the block ends."""
    with (
        whole_file(job.folder / PREDICTIONS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        rows = Predictions(stream)
        rows([*HEADER, *job.task.columns])
        yield rows


def evaluate(work: Work, executor: EvaluationExecutor, sink: Sink, *, reference: Answers | None = None) -> Pass:
    """Score one subject over the whole manifest, from its journal as far as that goes, the rest where `executor` runs.

    Raises `PluginError` where an item of the manifest is not accounted for, and where the task has no metric for its
    gate.
    """
    job, subject = work.job, work.subject
    file = work.sources.traces(REFERENCE)
    outputs = ReferencePass(file) if work.bound is None else ArtefactPass(file, work.bound, len(job.data.items))
    answering = Journalled(work, executor, outputs)
    audit = Audit(job.data) if subject.artefact is None else None
    with job.progress.step(f"evaluate {subject.name}", len(job.data.items)) as advance, closing(answering):
        scored: Scoring | None = None
        for info, batch in answering.batches():
            if scored is None:
                scored = Scoring(job.data, subject.name, info, sink)
            advance(scored.take(batch))
            if audit is not None:
                audit.take(batch)
    if scored is None:
        raise PluginError(f"{subject.name}: none of {len(job.data.items)} images have outputs; nothing was scored")
    scored.require_all()
    evaluation = _evaluation(job, subject, scored, answering, reference)
    if isinstance(outputs, ArtefactPass) and work.bound is not None:
        compared = outputs.table.compared(job.data.items, work.bound, job.request.evaluation_batch)
        evaluation = replace(evaluation, compared=compared, checks=merged(answering.checks))
    return Pass(
        evaluation=evaluation,
        answers=scored.answers,
        conversions=dict(sorted(scored.conversions.items())),
        content_sha256=scored.content_sha256,
        audit=None if audit is None else audit.finished(evaluation, scored.answers),
        label_faults=() if audit is None else scored.scorer.label_faults(),
        turned=() if audit is None else audit.turned,
    )


class Journalled:
    """The judged batches of one subject: those of its journal, then those that are inferred now and journalled."""

    def __init__(self, work: Work, executor: EvaluationExecutor, outputs: OutputPass) -> None:
        self._work, self._executor, self._outputs = work, executor, outputs
        self._job, self._subject = work.job, work.subject
        self._open = ExitStack()
        self.source = work.sources.source(work.subject.name)
        self.ran: dict[str, Execution] = {}
        """Where the images were answered, by executor."""
        self.resumed = 0
        """Images whose answers were in the journal."""
        self.wall = 0.0
        """Seconds of answering, those before an interruption included."""
        self.measured = ""
        """When the last image was answered."""
        self.checks: list[SettingCheck] = []
        """What the sessions that answered were found to get wrong."""
        self._open.callback(outputs.close)

    def batches(self) -> Iterator[tuple[SessionInfo, JudgedBatch]]:
        """Every batch of the manifest in order, with what really ran."""
        journal = self._journal()
        total = len(self._job.data.items)
        if journal is not None:
            for batch in journal.replay(self._job.data.manifest, self._outputs.holds):
                assert journal.session is not None
                self.resumed = batch.start + len(batch.images)
                self._count(journal.executor, journal.workers, batch)
                self._note(batch)
                yield journal.session, batch
            self.wall, self.measured = journal.wall, journal.at
            if self.resumed == total:
                if self._subject.artefact is not None:  # its answers stand only while the file does
                    require_built(self._job, self._subject.artefact)
                return
        work = replace(self._work, start=self.resumed)
        answering = self._open.enter_context(self._executor.answering(work))
        yield from ((answering.info, batch) for batch in self._answered(answering, journal))

    def close(self) -> None:
        """Release the session, and write the journal through."""
        self._open.close()

    def _answered(self, answering: Answering, journal: Journal | None) -> Iterator[JudgedBatch]:
        if journal is not None:
            journal.start(answering.info)
            self._open.callback(journal.close)
        begun = time.perf_counter() - self.wall
        for batch in answering:
            batch = self._outputs.take(batch)
            self._note(batch)
            self.wall = time.perf_counter() - begun
            if journal is not None:
                journal.append(batch, self.wall, self._executor.name, answering.workers)
            self._count(self._executor.name, answering.workers, batch)
            yield batch
        self.wall = time.perf_counter() - begun
        self.measured = now()

    def _journal(self) -> Journal | None:
        """None where predictions are of a type that the task does not name, or were made by an earlier stage."""
        kind = self._job.task.prediction_type
        if kind is None or self.source == OUTPUTS:
            return None
        return self._work.sources.journal(self._subject.name, kind)

    def _note(self, batch: JudgedBatch) -> None:
        if batch.check is not None:
            self.checks.append(batch.check)

    def _count(self, executor: str, workers: int, batch: JudgedBatch) -> None:
        before = self.ran.get(executor, Execution(executor=executor, workers=0, images=0))
        self.ran[executor] = replace(
            before, workers=max(before.workers, workers), images=before.images + len(batch.images)
        )


def _evaluation(
    job: Job, subject: Subject, scored: Scoring, answering: Journalled, reference: Answers | None
) -> Evaluation:
    items, metrics = job.data.items, scored.scorer.metrics()
    if metrics:
        metrics = _with_interval(job, scored, metrics)
    compared = None if reference is None else changes(job.task, items, reference, scored.answers, job.request.max_drop)
    found = Evaluation(
        name=subject.name,
        title=subject.title(scored.info),
        session=scored.info,
        batch=job.request.evaluation_batch,
        listed=len(items),
        scored=scored.statuses[OK],
        unreadable=scored.statuses[UNREADABLE],
        nonfinite=scored.statuses[NONFINITE],
        failures=tuple(scored.failures),
        unanswered=scored.reasons.grouped(),
        metrics=metrics,
        tables=scored.scorer.tables(),
        agreement=None if reference is None else _agreement(job, scored.answers.answers, reference.answers),
        changes=compared,
        chance=job.task.chance(job.spec, metrics),
        end_to_end=_end_to_end(scored, answering, job.threads),
        measured=answering.measured,
        executions=tuple(answering.ran.values()),
    )
    return of_the_model(found)


def _with_interval(job: Job, scored: Scoring, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    """The metrics, the gate's with an interval where the task can resample it."""
    gate, answers = gate_metric(job, metrics), scored.answers
    answers.resamples = resampled(scored.scorer, scored.seen)
    answers.gate = replace(gate, interval=gate.interval or interval_of(answers.resamples))
    return tuple(answers.gate if one is gate else one for one in metrics)


def _agreement(job: Job, answers: Sequence[Hashable], reference: Sequence[Hashable]) -> Metric | None:
    """Over the images that at least one of the two answers; None where there are none."""
    pairs = [pair for pair in zip(answers, reference, strict=True) if pair != (None, None)]
    if not pairs:
        return None
    same, count = sum(job.task.is_same(a, b) for a, b in pairs), len(pairs)
    return Metric(
        name="agreement",
        title=Message("Same {answer} as the reference", answer=job.task.answer_name),
        value=100 * same / count,
        count=count,
        hits=same,
        interval=wilson(same, count),
    )


def _end_to_end(scored: Scoring, answering: Journalled, threads: int) -> EndToEnd:
    seconds, images = scored.seconds, scored.seen
    busy = sum(seconds.values()) or 1.0
    many = {"infer": scored.info.streams}
    if answering.source == IMAGES:
        many |= {"read": threads, "preprocess": threads}
    processes = max((one.workers for one in answering.ran.values()), default=1)
    return EndToEnd(
        images=images,
        wall_seconds=answering.wall,
        images_per_second=images / answering.wall,
        source=answering.source,
        resumed=answering.resumed,
        stages=tuple(
            StageTime(
                name=name,
                seconds=spent,
                share_percent=100 * spent / busy,
                workers=processes * many.get(name, 1),
            )
            for name, spent in seconds.items()
        ),
    )
