"""Whether an accuracy that fails is the reference's own: the artefact then answers as the model does."""

from __future__ import annotations

from porter.diagnose.found import Found, finding, ruled_out
from porter.pipeline.diagnosis.conditions import Conditions
from porter.records.diagnosed import Surety
from porter.records.evaluation import Evaluation
from porter.records.message import Message, Text, Value
from porter.records.record import RunRecord

REFERENCE = "reference"
FAR_BELOW = 10.0
"""Points below the published figure from which on the weights are another's."""
FEW = 50.0
"""Percent from which on a result that cannot be told from guessing lacks images, and not accuracy."""


def is_the_references(record: RunRecord) -> bool:
    """Whether accuracy fails, and no artefact loses anything against the reference."""
    lost = [one for one in record.comparisons if one.against == REFERENCE and one.passed is False]
    broken = [one for one in record.evaluations if one.name != REFERENCE and one.nonfinite]
    accuracy = [one for one in record.verdicts if one.name == "accuracy" and one.state.value == "fail"]
    return bool(accuracy and record.evaluation(REFERENCE)) and not (lost or broken or record.unfinished)


def reference_poor(conditions: Conditions) -> Found:
    """Says so; which of weights, preprocessing and labels it is, other trials say."""
    record = conditions.record
    reference = record.evaluation(REFERENCE)
    if reference is None or not is_the_references(record):
        return Found()
    gate = next((one for one in record.comparisons if one.metric), None)
    metric = next((one for one in reference.metrics if gate is None or one.name == gate.metric), None)
    if reference.chance and metric is not None and metric.value >= FEW:
        text = Message(
            "data: the sample is too small to distinguish the accuracy from guessing: {chance}", chance=reference.chance
        )
        return finding("data few", text, conditions.command("evaluate"), Surety.LIKELY)
    figures: dict[str, Value] = {
        "title": "" if metric is None else metric.title,
        "value": None if metric is None else metric.value,
        "why": _why(record, reference),
    }
    others = record.tried is None or record.tried.reason or record.tried.better or record.label_suspects
    if not others and _far_below(record, reference):
        text = Message(
            "weights: the loaded model itself has low accuracy ({title} {value:.2f}%{why}) and the artefacts agree "
            "with it. No other preprocessing or labels explain it: another checkpoint, or one of an earlier epoch",
            **figures,
        )
        return finding("reference weights", text, conditions.command("export"), Surety.HINT)
    text = Message(
        "reference: the loaded model itself has low accuracy ({title} {value:.2f}%{why}) and the "
        "artefacts agree with it. Check labels, preprocessing and weights",
        **figures,
    )
    return finding("reference poor", text, conditions.command("evaluate"), Surety.HINT)


def artefacts_sound(conditions: Conditions) -> Found:
    """That no artefact changes an answer, as far as the run compared them."""
    compared = [one for one in conditions.record.evaluations if one.changes is not None]
    if not compared or any(one.changes is not None and one.changes.flipped for one in compared):
        return Found()
    evidence = Message("predictions of {names} equal the reference's on {images} images",
                       names=tuple(one.name for one in compared), images=compared[0].listed)  # fmt: skip
    return ruled_out(Message("the artefacts' predictions"), evidence)


def _far_below(record: RunRecord, reference: Evaluation) -> bool:
    """Whether so much is missing that an alternative which brought it back would have shown."""
    lost = [one.drop for one in record.comparisons if one.against == "published" and one.passed is False]
    return not reference.chance and max((drop or 0.0 for drop in lost), default=0.0) > FAR_BELOW


def _why(record: RunRecord, reference: Evaluation) -> Text:
    published = next((one for one in record.comparisons if one.against == "published" and one.passed is False), None)
    if published is not None and published.baseline is not None:
        return Message(", published {baseline:.2f}%", baseline=published.baseline)
    return Message("; {chance}", chance=reference.chance) if reference.chance else ""
