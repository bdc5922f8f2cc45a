"""The accuracy of an import: outputs that came back are scored by the model's task; a stated accuracy is compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.returned import Returned, ReturnedOutputs, StatedAccuracy, Unusable
from porter.contracts.rows import ragged, stacked
from porter.data.store import open_store
from porter.errors import BadInput, ImageError, one_line
from porter.images.appearance import Appearance
from porter.images.decode import decode
from porter.importing.imported_names import artefact_name, shown
from porter.pipeline.evaluation.evaluate import predictions_file
from porter.pipeline.evaluation.judging import judge
from porter.pipeline.evaluation.scoring import Scoring, Sink
from porter.pipeline.evaluation.shapes import NONFINITE, OK, UNREADABLE, Answered, Batch, JudgedBatch, Prepared
from porter.pipeline.evaluation.unanswered import of_the_model
from porter.pipeline.job.job import Dataset, Job
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Evaluation
from porter.records.imported import Doubt, ImportFinding
from porter.records.message import Message, Text
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np

ROWS = 256
"""Outputs that are read at a time."""
SHOWN = 3


@dataclass(kw_only=True)
class ImportedAccuracy:
    """All that is known of the accuracy."""

    evaluations: list[Evaluation] = field(default_factory=list)
    findings: list[ImportFinding] = field(default_factory=list)
    gave: dict[Path, list[Text]] = field(default_factory=dict)

    def doubt(self, kind: Doubt, text: Message) -> None:
        """Add a finding."""
        self.findings.append(ImportFinding(kind=kind, text=text))


def accuracy_of(folder: Path, returned: Returned, job: Job, data: Dataset | None) -> ImportedAccuracy:
    """Score the outputs and compare what is stated with them; without outputs take what is stated.

    Writes predictions.csv where there are outputs.
    """
    found = ImportedAccuracy()
    if returned.outputs and data is not None:
        _score_all(found, folder, returned, data)
        for one in returned.stated:
            _compare(found, folder, one)
            found.gave.setdefault(one.path, []).append(Message("accuracy, compared with the predictions"))
        return found
    name = artefact_name(returned.session)
    for one in returned.stated:
        own = name if len(returned.stated) == 1 else f"{name}-{one.path.stem}"
        found.evaluations.append(_as_stated(one, job, own, returned.session))
        found.gave.setdefault(one.path, []).append(Message("accuracy"))
        if data is not None and len(data.items) != one.images:
            text = Message(
                "`{file}` covers {images} images, the label file lists {labels}",
                file=shown(folder, one.path),
                images=one.images,
                labels=len(data.items),
            )
            found.doubt(Doubt.INCONSISTENT, text)
    return found


# --- outputs that came back ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Sent:
    """How the outputs of each image of the manifest are called."""

    names: Sequence[str]
    """In the order of the manifest; empty: the image was not sent, for `reasons`."""
    reasons: Sequence[str]


def _score_all(found: ImportedAccuracy, folder: Path, returned: Returned, data: Dataset) -> None:
    name, taken = artefact_name(returned.session), set[str]()
    with predictions_file(data.job) as sink:
        for outputs in returned.outputs:
            sent = _sent(outputs, returned, data)
            _compare_counts(found, shown(folder, outputs.path), outputs, sent)
            own = f"{name}-bs{outputs.batch}" if outputs.batch else name
            if own in taken:
                own = f"{own}-{len(taken) + 1}"
            taken.add(own)
            info = replace(returned.session, batch=outputs.batch)
            found.evaluations.append(_score(data, outputs, sent, own, info, sink))
            found.gave.setdefault(outputs.path, []).append(Message("accuracy of {evaluation}", evaluation=own))


def _sent(outputs: ReturnedOutputs, returned: Returned, data: Dataset) -> _Sent:
    """As the kit has it, where the images are the kit's; else by the names of the images."""
    kit = returned.sent
    if kit is not None and data.items == kit.manifest.items:
        return _Sent(names=kit.names, reasons=kit.reasons)
    names = outputs.names([item.id for item in data.items])
    return _Sent(names=names, reasons=("",) * len(names))


def _score(
    data: Dataset, outputs: ReturnedOutputs, sent: _Sent, name: str, info: SessionInfo, sink: Sink
) -> Evaluation:
    job = data.job
    scoring, said = Scoring(data, name, info, sink), dict[str, Text]()
    with job.progress.step(f"score {name}", len(data.items)) as advance:
        for batch in _batches(data, outputs, sent, said):
            advance(scoring.take(batch))
    scoring.require_all()
    metrics = scoring.scorer.metrics()
    found = Evaluation(
        name=name,
        title=f"{info.runtime} {info.precision}" + (f", batch {info.batch}" if info.batch else ""),
        session=info,
        batch=info.batch,
        listed=len(data.items),
        scored=scoring.statuses[OK],
        unreadable=scoring.statuses[UNREADABLE],
        nonfinite=scoring.statuses[NONFINITE],
        failures=tuple(scoring.failures),
        unanswered=scoring.reasons.grouped(said),
        metrics=metrics,
        tables=scoring.scorer.tables(),
        chance=job.task.chance(job.spec, metrics),
        end_to_end=None,
    )
    return of_the_model(found)


def _batches(data: Dataset, outputs: ReturnedOutputs, sent: _Sent, said: dict[str, Text]) -> Iterator[JudgedBatch]:
    """The outputs of all images in order; fills `said` with the sentence of each reason why one cannot be used."""
    total = len(sent.names)
    for start in range(0, total, ROWS):
        members: list[Prepared] = []
        rows: list[Mapping[str, np.ndarray]] = []
        for index in range(start, min(start + ROWS, total)):
            reason = sent.reasons[index]
            if sent.names[index]:
                try:
                    rows.append(_read(data.job, outputs, sent.names[index]))
                except Unusable as error:
                    reason = str(error.reason)
                    said[reason] = error.reason
                except BadInput as error:
                    reason = str(error)
            members.append(Prepared(index=index, reason=reason, look=_look(data, index)))
        yield judge(data, _answered(data.job.spec, members, rows))


def _read(job: Job, outputs: ReturnedOutputs, name: str) -> Mapping[str, np.ndarray]:
    """The outputs of one image, each as the model declares it. Raises `BadInput`, mostly `Unusable`."""
    row = outputs.read(name, job.spec.outputs)
    for spec in job.spec.outputs:
        if spec.name not in row:
            raise Unusable(outputs.path, Message("output `{output}` is missing", output=spec.name))
        shape = row[spec.name].shape
        sizes = spec.shape[1:]
        fits = len(shape) == len(sizes) and all(a == b for a, b in zip(shape, sizes, strict=True) if isinstance(b, int))
        if not fits:
            has, wanted = ("×".join(map(str, one)) or "1" for one in (shape, sizes))
            reason = Message(
                "output `{output}` has {found} per image, should have {wanted}",
                output=spec.name,
                found=has,
                wanted=wanted,
            )
            raise Unusable(outputs.path, reason)
    return row


def _look(data: Dataset, index: int) -> Appearance | None:
    """The size of an image, where the task asks for it; None where it cannot be read."""
    if not data.job.task.needs_sizes:
        return None
    item = data.items[index]
    try:
        pixels = decode(open_store(data.manifest.root).read(item.file), item.id).pixels
    except (OSError, ImageError):
        return None
    return Appearance(pixels.shape[0], pixels.shape[1])


def _answered(spec: ModelSpec, members: Sequence[Prepared], rows: Sequence[Mapping[str, np.ndarray]]) -> Answered:
    indices = tuple(one.index for one in members if not one.reason)
    outputs = stacked(rows)
    for tensor in spec.outputs:
        if tensor.is_listed and tensor.name in outputs:
            outputs[tensor.name] = ragged((row[tensor.name] for row in rows), listed=True)
    return Answered(batch=Batch(members=tuple(members), indices=indices, feeds={}), outputs=outputs, infer_seconds=0.0)


def _compare_counts(found: ImportedAccuracy, place: str, outputs: ReturnedOutputs, all_sent: _Sent) -> None:
    sent = [name for name in all_sent.names if name]
    missing, extra = outputs.missing(sent), outputs.extra(sent)
    if missing:
        text = Message(
            "`{folder}` contains outputs of {count} of {sent} images; missing ones (such as {names}) count as wrong",
            folder=place,
            count=len(sent) - len(missing),
            sent=len(sent),
            names=tuple(missing[:SHOWN]),
        )
        found.doubt(Doubt.MISSING, text)
    if extra:
        text = Message(
            "`{folder}` contains outputs of {count} images without a label (such as {names}); they are ignored",
            folder=place,
            count=len(extra),
            names=tuple(extra[:SHOWN]),
        )
        found.doubt(Doubt.INCONSISTENT, text)


# --- what files state ------------------------------------------------------------------------------------------------


def _as_stated(stated: StatedAccuracy, job: Job, name: str, info: SessionInfo) -> Evaluation:
    """What a file states, as an evaluation. What it does not give is None."""
    counted = tuple(
        replace(one, hits=round(one.value * one.count / 100)) if one.unit == "percent" else one
        for one in stated.metrics
    )
    gated = any(one.name == job.task.gate for one in counted)
    return Evaluation(
        name=name,
        title=Message("{runtime}, from `{file}`", runtime=info.runtime, file=one_line(stated.path.name)),
        session=info,
        batch=info.batch,
        listed=stated.images,
        scored=None,
        unreadable=None,
        nonfinite=None,
        failures=(),
        metrics=stated.metrics,
        chance=job.task.chance(job.spec, counted) if gated else "",
        end_to_end=None,
    )


def _compare(found: ImportedAccuracy, folder: Path, stated: StatedAccuracy) -> None:
    """Compare what a file states with what the outputs beside it give."""
    file = shown(folder, stated.path)
    for evaluation in found.evaluations:
        if evaluation.listed != stated.images:
            text = Message(
                "`{file}` covers {images} images, {evaluation} covers {listed}",
                file=file,
                images=stated.images,
                evaluation=evaluation.name,
                listed=evaluation.listed,
            )
            found.doubt(Doubt.INCONSISTENT, text)
        for one in stated.metrics:
            metric = next((known for known in evaluation.metrics if known.name == one.name), None)
            if metric is not None and abs(metric.value - one.value) > stated.within + 1e-9:
                text = Message(
                    "`{file}` states {metric} {stated:.2f}%, the predictions of {evaluation} give {value:.2f}%",
                    file=file,
                    metric=metric.title,
                    stated=one.value,
                    evaluation=evaluation.name,
                    value=metric.value,
                )
                found.doubt(Doubt.INCONSISTENT, text)
