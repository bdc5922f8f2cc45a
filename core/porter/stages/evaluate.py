"""evaluate: outputs to predictions to metrics, in one pass over the manifest and in bounded memory."""

from __future__ import annotations

import csv
import time
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from porter.contracts.runtime import Session
from porter.errors import PluginError
from porter.records.artefact import SessionInfo
from porter.records.evaluation import EndToEnd, Evaluation, Metric, StageTime
from porter.records.store import whole_file
from porter.stages.changes import Answers, changes
from porter.stages.infer import infer
from porter.stages.job import Job
from porter.stages.prepare import Prepared, batches
from porter.stages.scoring import NONFINITE, OK, UNREADABLE, Answered, Scoring, Sink
from porter.statistics import wilson

PREDICTIONS = "predictions.csv"


@dataclass(frozen=True, kw_only=True)
class Pass:
    """What one pass over the manifest leaves behind."""

    evaluation: Evaluation
    answers: Answers
    conversions: dict[str, int]
    content_sha256: str


def answer(job: Job, session: Session, prepared: Iterable[Prepared], batch_size: int) -> Iterator[Answered]:
    """Infer a stream of prepared images, batch by batch."""
    for batch in batches(prepared, batch_size):
        started = time.perf_counter()
        outputs = {} if batch.array is None else infer(job, session, batch.array)
        yield Answered(batch=batch, outputs=outputs, infer_seconds=time.perf_counter() - started)


@contextmanager
def predictions_file(job: Job) -> Iterator[Sink]:
    """predictions.csv with its header; it appears whole when the block ends."""
    with (
        whole_file(job.folder / PREDICTIONS) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "label", "evaluation", "runtime", "precision", "status", "score", *job.task.columns])
        yield writer.writerow


def evaluate(
    job: Job,
    name: str,
    title: str,
    info: SessionInfo,
    stream: Iterable[Answered],
    sink: Sink,
    *,
    batch_size: int,
    source: str,
    reference: Answers | None = None,
) -> Pass:
    """Score one stream over the whole manifest.

    Raises `PluginError` where the stream does not account for every item of the manifest, and where the task has no
    metric for its gate.
    """
    scored = Scoring(job, name, info, sink)
    started = time.perf_counter()
    with job.progress.step(f"evaluate {title}", len(job.manifest.items)) as advance:
        for answered in stream:
            advance(scored.take(answered))
    wall = time.perf_counter() - started
    scored.require_all()
    metrics = scored.scorer.metrics()
    if metrics and job.task.gate not in [metric.name for metric in metrics]:
        raise PluginError(f"task {job.task.name!r}: no metric is named {job.task.gate!r}, its gate")
    evaluation = Evaluation(
        name=name,
        title=title,
        session=info,
        batch=batch_size,
        listed=len(job.manifest.items),
        scored=scored.statuses[OK],
        unreadable=scored.statuses[UNREADABLE],
        nonfinite=scored.statuses[NONFINITE],
        failures=tuple(scored.failures),
        metrics=metrics,
        tables=scored.scorer.tables(),
        agreement=None if reference is None else _agreement(job, scored.answers.answers, reference.answers),
        changes=None
        if reference is None
        else changes(job.manifest.items, reference, scored.answers, job.request.max_drop),
        chance=job.task.chance(job.spec, metrics),
        end_to_end=_end_to_end(scored.seconds, wall, len(job.manifest.items), source, job.threads),
    )
    return Pass(
        evaluation=evaluation,
        answers=scored.answers,
        conversions=dict(sorted(scored.conversions.items())),
        content_sha256=scored.content_sha256,
    )


def _agreement(job: Job, answers: Sequence[Hashable], reference: Sequence[Hashable]) -> Metric | None:
    """Over the images that at least one of the two answers; None where there are none."""
    pairs = [pair for pair in zip(answers, reference, strict=True) if pair != (None, None)]
    if not pairs:
        return None
    same, count = sum(a == b for a, b in pairs), len(pairs)
    return Metric(
        name="agreement",
        title=f"Same {job.task.answer_name} as the reference",
        value=100 * same / count,
        count=count,
        hits=same,
        interval=wilson(same, count),
    )


def _end_to_end(seconds: dict[str, float], wall: float, images: int, source: str, workers: int) -> EndToEnd:
    busy = sum(seconds.values()) or 1.0
    many = {"read", "preprocess"} if source == "images" else set()
    return EndToEnd(
        images=images,
        wall_seconds=wall,
        images_per_second=images / wall,
        source=source,
        stages=tuple(
            StageTime(
                name=name,
                seconds=spent,
                share_percent=100 * spent / busy,
                workers=workers if name in many else 1,
            )
            for name, spent in seconds.items()
        ),
    )
