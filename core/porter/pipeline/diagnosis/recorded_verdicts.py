"""What the verdicts of the run rest on, as findings: core's audits, precisions, alternatives that were tried."""

from __future__ import annotations

from collections.abc import Iterator

from porter.diagnose.found import Found, finding, ruled_out, together
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.diagnosis.reference_trial import REFERENCE, is_the_references
from porter.pipeline.judge.data_evidence import RULES, against_data
from porter.pipeline.judge.labels_say import against_labels, contradicting
from porter.pipeline.judge.weights_evidence import against_weights, stated_evidence
from porter.records.audited import Oddity
from porter.records.diagnosed import Surety
from porter.records.message import Message
from porter.records.record import State


def recorded_verdicts(conditions: Conditions) -> Found:
    """Of the verdicts on weights, precision, data and speed."""
    return together([*_weights(conditions), *_precision(conditions), *_data(conditions), *_speed(conditions)])


def _weights(conditions: Conditions) -> Iterator[Found]:
    audit, export = conditions.record.weights_audit, conditions.command("export")
    if audit is None:
        return
    against = list(against_weights(audit))
    for text in against:
        yield finding("weights audit", Message("weights: {text}", text=text), export, Surety.LOCATED)
    reference = conditions.record.evaluation(REFERENCE)
    if is_the_references(conditions.record) and reference is not None and reference.chance:
        for one in audit.suspicions:  # what is no fault by itself explains answers that are guesses
            if not one.fails:
                text = Message("weights: {text}", text=one.what)
                yield finding("weights contents", text, export, Surety.LIKELY)
    stated, wrong = stated_evidence(conditions.record)
    if wrong:
        yield finding("weights stated", Message("weights: {text}", text=stated[0]), export, Surety.HINT)
    if not against and not audit.not_compared:
        evidence = Message("{matched} of {tensors} match the file", matched=audit.matched, tensors=audit.tensors)
        yield ruled_out(Message("the model's tensors"), evidence)


def _precision(conditions: Conditions) -> Iterator[Found]:
    for parity in conditions.record.parity:
        for text in () if parity.precision is None else parity.precision.contradictions:
            line = Message("runtime: {text}", text=text)
            yield finding("runtime precision", line, conditions.command("export"), Surety.LOCATED)


def _data(conditions: Conditions) -> Iterator[Found]:
    evaluate, audit = conditions.command("evaluate"), conditions.record.audit
    against = against_data(conditions.record)
    if audit is not None and conditions.failed and (alone := audit.odd(Oddity.ONE_LABEL)) is not None:
        against.insert(0, RULES[Oddity.ONE_LABEL].say(alone))
    for text in against:
        yield finding("data", Message("data: {text}", text=text), evaluate, Surety.MEASURED)
    small = None if audit is None else audit.odd(Oddity.SMALLER)
    if small is not None and is_the_references(conditions.record) and small.count * 2 > small.of:
        text = Message("data: {text}", text=RULES[Oddity.SMALLER].say(small))  # enlarged, which costs accuracy
        yield finding("data small", text, evaluate, Surety.LIKELY)
    elif audit is not None and not against:
        evidence = Message("{images} images checked, {distinct} distinct files", images=audit.images,
                           distinct=audit.distinct)  # fmt: skip
        yield ruled_out(Message("images and labels"), evidence)


def through_labels(conditions: Conditions) -> Iterator[Found]:
    """Of the alternatives to the declared preprocessing that the run scored against the labels."""
    tried = conditions.record.tried
    if tried is None or tried.reason:
        return
    lines = against_labels(tried)
    if not tried.better:
        yield ruled_out(Message("the declared preprocessing"), lines[0])
    for one, line in zip(tried.better, lines, strict=False):
        wrong = one in contradicting(tried)
        if wrong or conditions.failed:
            text = Message("preprocessing: the declaration differs from training: {text}", text=line)
            surety = Surety.MEASURED if wrong else Surety.HINT
            yield finding("preprocessing declared", text, conditions.command("evaluate"), surety)


def _speed(conditions: Conditions) -> Iterator[Found]:
    for verdict in conditions.record.verdicts:
        if verdict.name == "speed" and verdict.state is State.FAIL:
            for text in verdict.evidence[1:2]:
                line = Message("speed: {text}", text=text)
                yield finding("speed", line, conditions.command("bench"), Surety.MEASURED)
