"""What images and labels are worth: each oddity with its count, and the share beyond which no figure is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from porter.pipeline.judge.causes import label_cause
from porter.pipeline.judge.labels_say import contradicting
from porter.records.audited import DataAudit, Odd, Oddity
from porter.records.message import Message, Text
from porter.records.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is said of an oddity, and when it fails."""

    say: Callable[[Odd], Message]
    beyond: float | None = None
    """Percent beyond which no figure is to be believed; None: it is a note at any share."""


RULES: dict[Oddity, Rule] = {
    Oddity.UNREADABLE: Rule(
        beyond=10.0,
        say=lambda odd: Message(
            "{count} of {of} images cannot be read: {names}", count=odd.count, of=odd.of, names=_names(odd)
        ),
    ),
    Oddity.CONTRADICTED: Rule(
        beyond=2.0,
        say=lambda odd: Message(
            "{count} of {of} images are byte-identical to an image with another label: {names}",
            count=odd.count,
            of=odd.of,
            names=_names(odd),
        ),
    ),
    Oddity.COPIES: Rule(
        beyond=25.0,
        say=lambda odd: Message(
            "{count} of {of} images are byte-identical copies of another image: {names}",
            count=odd.count,
            of=odd.of,
            names=_names(odd),
        ),
    ),
    Oddity.LOOK_ALIKES: Rule(
        say=lambda odd: Message(
            "{count} of {of} images look nearly the same as another image: {names}",
            count=odd.count,
            of=odd.of,
            names=_names(odd),
        )
    ),
    Oddity.NO_IMAGES: Rule(
        say=lambda odd: Message(
            "{count} of {of} classes have no image: {names}", count=odd.count, of=odd.of, names=_names(odd)
        )
    ),
    Oddity.ONE_LABEL: Rule(
        say=lambda odd: Message("every image has the same label: {names}", names=_names(odd)),
    ),
    Oddity.SMALLER: Rule(
        say=lambda odd: Message(
            "{count} of {of} images are smaller than the crop: {names}", count=odd.count, of=odd.of, names=_names(odd)
        )
    ),
    Oddity.TURNED: Rule(
        say=lambda odd: Message(
            "{count} of {of} images have an EXIF orientation, which is not applied: {names}",
            count=odd.count,
            of=odd.of,
            names=_names(odd),
        )
    ),
    Oddity.RANDOM: Rule(
        beyond=0.0,
        say=lambda odd: Message(
            "predictions for {count} of {of} images are varied and confident, but no more often correct "
            "than guesses: the labels look random, or belong to other images or classes",
            count=odd.count,
            of=odd.of,
        ),
    ),
    Oddity.DOUBTFUL: Rule(
        beyond=10.0,
        say=lambda odd: Message(
            "about {count} of {of} labels look random: the model is sure of another class, and the label's is not "
            "among its first ones: {names}",
            count=odd.count,
            of=odd.of,
            names=_names(odd),
        ),
    ),
}
OF_LABELS = (Oddity.RANDOM, Oddity.DOUBTFUL)
"""What something else than the labels may explain."""


def data_evidence(record: RunRecord) -> tuple[tuple[Text, ...], bool]:
    """One line for each thing, what fails first, and whether anything does."""
    assert record.audit is not None
    odd = _unexplained(record, record.audit)
    failing = [one for one in odd if _fails(record, one)]
    lines: list[Text] = [label_cause(finding) for finding in record.label_suspects]
    lines += against_data(record)
    lines.append(
        Message(
            "{images} images and labels checked, {distinct} distinct files",
            images=record.audit.images,
            distinct=record.audit.distinct,
        )
    )
    lines += [RULES[one.kind].say(one) for one in odd if one not in failing]
    return tuple(lines), bool(failing or record.label_suspects)


def against_data(record: RunRecord) -> list[Text]:
    """What of the images and labels leaves no figure to believe, one line each."""
    odd = () if record.audit is None else _unexplained(record, record.audit)
    return [_failing(record, one) for one in odd if _fails(record, one)]


def _unexplained(record: RunRecord, audit: DataAudit) -> list[Odd]:
    """The oddities, but for labels that look random where something else explains the answers."""
    weights = record.weights_audit is not None and record.weights_audit.suspicions
    tried = record.tried is not None and contradicting(record.tried)
    explained = bool(record.label_suspects or tried or weights)
    return [one for one in audit.oddities if not (one.kind in OF_LABELS and explained)]


def _fails(record: RunRecord, odd: Odd) -> bool:
    beyond = _beyond(record, odd)
    return beyond is not None and odd.percent > beyond


def _beyond(record: RunRecord, odd: Odd) -> float | None:
    """Percent beyond which no figure is to be believed. An image that cannot be read counts as wrong: several of them
    must cost no more than the drop that is allowed, since that much is what the accuracy is to tell."""
    beyond = RULES[odd.kind].beyond
    if odd.kind is Oddity.UNREADABLE and beyond is not None and odd.count > 1:
        return min(beyond, record.request.max_drop)
    return beyond


def _failing(record: RunRecord, odd: Odd) -> Message:
    rule, beyond = RULES[odd.kind], _beyond(record, odd)
    if not beyond:
        return rule.say(odd)
    return Message("{odd}; above {beyond:g}%, no accuracy is meaningful", odd=rule.say(odd), beyond=beyond)


def _names(odd: Odd) -> tuple[str, ...]:
    return (*odd.names, "…") if odd.count > len(odd.names) else odd.names
