"""Why images have no answer, as console, README and report say it: each reason once, for all that it is true of."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.evaluation import Evaluation, Unanswered
from porter.records.message import Message, Text
from porter.records.record import RunRecord


def unanswered_lines(record: RunRecord) -> tuple[Message, ...]:
    """A sentence for each reason; evaluations that have it on as many images share it."""
    found: list[tuple[Unanswered, int, list[Text]]] = []
    for evaluation in record.evaluations:
        for one in evaluation.unanswered:
            titles = next((titles for known, _, titles in found if known == one), None)
            if titles is None:
                found.append((one, evaluation.listed, titles := []))
            titles.append(evaluation.title)
    return tuple(
        _line(one, listed) if len(titles) == len(record.evaluations) else _of_some(titles, _line(one, listed))
        for one, listed, titles in found
    )


def reasons_of(evaluation: Evaluation) -> Message:
    """Why most of an evaluation's images have no answer, the commonest reason alone."""
    return _line(evaluation.unanswered[0], evaluation.listed)


def _line(one: Unanswered, listed: int) -> Message:
    more = ("…",) if one.count > len(one.first) else ()
    return Message(
        "{count} of {listed} images have no answer and count as wrong: {reason} ({names})",
        count=one.count,
        listed=listed,
        reason=one.reason,
        names=(*one.first, *more),
    )


def _of_some(titles: Sequence[Text], line: Message) -> Message:
    return Message("{evaluation}: {line}", evaluation=tuple(titles), line=line)
