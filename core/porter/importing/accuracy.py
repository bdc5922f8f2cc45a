"""The accuracy of imported predictions, scored by the model's task, or as an accuracy file states it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from porter.ascend.figures import batch_in
from porter.ascend.inputs import bin_names
from porter.ascend.outputs import OutputFolder
from porter.ascend.scores import Scores
from porter.errors import BadInput, one_line
from porter.importing.found import Found, Read
from porter.machine.statistics import wilson
from porter.pipeline.evaluation.evaluate import predictions_file
from porter.pipeline.evaluation.judging import NONFINITE, OK, UNREADABLE, Answered, JudgedBatch, judge
from porter.pipeline.evaluation.prepare import Batch, Prepared
from porter.pipeline.evaluation.scoring import Scoring, Sink
from porter.pipeline.job.dataset import Dataset
from porter.pipeline.job.job import Job
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Evaluation, Metric
from porter.records.imported import Doubt, ImportFinding
from porter.records.message import Message, Text

if TYPE_CHECKING:
    import numpy as np

ROWS = 256
"""Predictions that are read at a time."""
ROUNDED = 0.005
"""Half of the last place of a percentage with two."""
SHOWN = 3


@dataclass(kw_only=True)
class Accuracy:
    """All that is known of the accuracy."""

    evaluations: list[Evaluation] = field(default_factory=list)
    findings: list[ImportFinding] = field(default_factory=list)
    gave: dict[Path, list[Text]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What predictions are scored with; `names` are those of the images' outputs."""

    data: Dataset
    names: tuple[str, ...]
    """Name of each item's outputs; empty: it was not sent, for `reasons`."""
    reasons: tuple[str, ...]

    @classmethod
    def by_label_file(cls, data: Dataset) -> Scored:
        """Names as the tools make them, from the images' own."""
        ids = [item.id for item in data.items]
        return cls(data=data, names=bin_names(ids), reasons=("",) * len(ids))

    @classmethod
    def by_kit(cls, data: Dataset, found: Found) -> Scored:
        """Names as the kit lists them."""
        assert found.kit is not None
        items = found.kit.content.items
        return cls(data=data, names=tuple(i.name for i in items), reasons=tuple(i.reason for i in items))


def score_folders(found: Found, scored: Scored, name: str, info: SessionInfo) -> Accuracy:
    """Score every folder of predictions, and write predictions.csv. `name` begins the evaluations' names."""
    accuracy = Accuracy()
    with predictions_file(scored.data.job) as sink:
        for path in found.outputs:
            folder = OutputFolder(path, scored.data.job.spec.outputs)
            _compare_counts(accuracy, found, folder, scored)
            batch = batch_in(path.name)
            of_batch = replace(info, batch=batch)
            one = f"{name}-bs{batch}" if batch else name
            taken = {evaluation.name for evaluation in accuracy.evaluations}
            if one in taken:
                one = f"{one}-{len(taken) + 1}"
            evaluation = _score(scored, folder, one, of_batch, sink)
            accuracy.evaluations.append(evaluation)
            accuracy.gave.setdefault(path, []).append(Message("accuracy of {evaluation}", evaluation=one))
    return accuracy


def stated(found: Read[Scores], job: Job, name: str, info: SessionInfo) -> Evaluation:
    """What an accuracy file states, as an evaluation. What it does not give is None."""
    content = found.content
    metrics = tuple(_metric(k, percent, content.images) for k, percent in content.top.items())
    counted = tuple(replace(m, hits=round(m.value * content.images / 100)) for m in metrics)
    return Evaluation(
        name=name,
        title=Message("{runtime}, as `{file}` states it", runtime=info.runtime, file=one_line(found.path.name)),
        session=info,
        batch=info.batch,
        listed=content.images,
        scored=None,
        unreadable=None,
        nonfinite=None,
        failures=(),
        metrics=metrics,
        chance=job.task.chance(job.spec, counted),
        end_to_end=None,
    )


def compare_stated(accuracy: Accuracy, found: Found, scores: Read[Scores]) -> None:
    """Hold what an accuracy file states against what the predictions beside it give."""
    file = found.name(scores.path)
    for evaluation in accuracy.evaluations:
        if evaluation.listed != scores.content.images:
            _doubt(
                accuracy,
                Doubt.INCONSISTENT,
                Message(
                    "`{file}` is about {images} images, {evaluation} about {listed}",
                    file=file,
                    images=scores.content.images,
                    evaluation=evaluation.name,
                    listed=evaluation.listed,
                ),
            )
        for k, percent in scores.content.top.items():
            metric = next((one for one in evaluation.metrics if one.name == f"top{k}"), None)
            if metric is not None and abs(metric.value - percent) > ROUNDED + 1e-9:
                _doubt(
                    accuracy,
                    Doubt.INCONSISTENT,
                    Message(
                        "`{file}` states {metric} {stated:.2f}, the predictions of {evaluation} give {value:.2f}",
                        file=file,
                        metric=metric.title,
                        stated=percent,
                        evaluation=evaluation.name,
                        value=metric.value,
                    ),
                )


def _score(scored: Scored, folder: OutputFolder, name: str, info: SessionInfo, sink: Sink) -> Evaluation:
    data, job = scored.data, scored.data.job
    scoring = Scoring(data, name, info, sink)
    with job.progress.step(f"score {name}", len(data.items)) as advance:
        for batch in _batches(scored, folder):
            advance(scoring.take(batch))
    scoring.require_all()
    metrics = scoring.scorer.metrics()
    return Evaluation(
        name=name,
        title=f"{info.runtime} {info.precision}" + (f", batch {info.batch}" if info.batch else ""),
        session=info,
        batch=info.batch,
        listed=len(data.items),
        scored=scoring.statuses[OK],
        unreadable=scoring.statuses[UNREADABLE],
        nonfinite=scoring.statuses[NONFINITE],
        failures=tuple(scoring.failures),
        metrics=metrics,
        tables=scoring.scorer.tables(),
        chance=job.task.chance(job.spec, metrics),
        end_to_end=None,
    )


def _batches(scored: Scored, folder: OutputFolder) -> Iterator[JudgedBatch]:
    total = len(scored.names)
    for start in range(0, total, ROWS):
        members: list[Prepared] = []
        rows: list[dict[str, np.ndarray]] = []
        for index in range(start, min(start + ROWS, total)):
            reason = scored.reasons[index]
            if scored.names[index]:
                try:
                    rows.append(folder.read(scored.names[index]))
                except BadInput as error:
                    reason = str(error)
            members.append(Prepared(index=index, array=None, reason=reason))
        yield judge(scored.data.job, _answered(members, rows))


def _answered(members: Sequence[Prepared], rows: Sequence[dict[str, np.ndarray]]) -> Answered:
    import numpy as np

    indices = tuple(one.index for one in members if not one.reason)
    outputs = {name: np.stack([row[name] for row in rows]) for name in rows[0]} if rows else {}
    return Answered(
        batch=Batch(members=tuple(members), indices=indices, array=None), outputs=outputs, infer_seconds=0.0
    )


def _compare_counts(accuracy: Accuracy, found: Found, folder: OutputFolder, scored: Scored) -> None:
    sent = [name for name in scored.names if name]
    shown = found.name(folder.folder)
    missing, extra = folder.missing(sent), folder.extra(sent)
    if missing:
        _doubt(
            accuracy,
            Doubt.MISSING,
            Message(
                "`{folder}` has outputs of {count} of {sent} images; those of {names} are missing, and count as wrong",
                folder=shown,
                count=len(sent) - len(missing),
                sent=len(sent),
                names=tuple(missing[:SHOWN]),
            ),
        )
    if extra:
        _doubt(
            accuracy,
            Doubt.INCONSISTENT,
            Message(
                "`{folder}` has outputs of {count} images without a label, as of {names}; they were not used",
                folder=shown,
                count=len(extra),
                names=tuple(extra[:SHOWN]),
            ),
        )


def _metric(k: int, percent: float, images: int) -> Metric:
    """A stated percentage; the interval is that of the number of hits nearest to it."""
    return Metric(
        name=f"top{k}",
        title=f"Top-{k}",
        value=percent,
        count=images,
        interval=wilson(round(percent * images / 100), images),
    )


def _doubt(accuracy: Accuracy, kind: Doubt, text: Message) -> None:
    accuracy.findings.append(ImportFinding(kind=kind, text=text))
