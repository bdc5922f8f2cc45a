"""Which figures belong together: under what name an artefact stands, and which of its speeds make one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from porter.records.performance import Performance
from porter.records.record import RunRecord

REFERENCE = "reference"


@dataclass(frozen=True)
class Line:
    """Speeds at several batch sizes that one line may join: of one model file but for its batch, fed and set alike."""

    name: str
    """The artefact's id, without the batch size that it is fixed to."""
    label: str
    """The name, with what was fed and how the session was set where several lines share it."""
    look: int
    """Number of its look; that of its artefact's bars where it is an artefact's first line."""
    points: dict[int, Performance]
    """By batch size."""


def names(record: RunRecord) -> tuple[str, ...]:
    """The names under which figures stand, in the order that gives each its look."""
    named = [artefact.id for artefact in record.artefacts]
    named += [evaluation.name for evaluation in record.evaluations if evaluation.name != REFERENCE]
    known = set(named)
    named += [one.artefact if one.artefact in known else _without_batch(one) for one in record.performance]
    return tuple(dict.fromkeys(named))


def speeds_of(record: RunRecord, name: str) -> tuple[Performance, ...]:
    """The speeds that stand under one of the `names`."""
    known = names(record)
    return tuple(
        one for one in record.performance if (one.artefact if one.artefact in known else _without_batch(one)) == name
    )


def lines(record: RunRecord) -> tuple[Line, ...]:
    """All speeds as lines, in the order of the `names`."""
    groups: dict[tuple[str, str, int | None, str], list[Performance]] = {}
    for name in names(record):
        for one in speeds_of(record, name):
            key = (_without_batch(one), str(one.input), one.session.threads, streams_of(one))
            groups.setdefault(key, []).append(one)
    found: list[Line] = []
    taken: set[int] = set()
    for key, group in groups.items():
        base = key[0]
        first = group[0].artefact if group[0].artefact in names(record) else base
        look = names(record).index(first)
        if look in taken:
            look = max(len(names(record)), max(taken) + 1)
        taken.add(look)
        found.append(Line(base, _label(key, groups), look, {one.batch: one for one in group}))
    return tuple(found)


def _label(key: tuple[str, str, int | None, str], all_keys: Iterable[tuple[str, str, int | None, str]]) -> str:
    """The name, and of what is fed, threads and streams that in which the lines of that name differ."""
    alike = [other for other in all_keys if other[0] == key[0]]
    words = (key[1], f"{key[2]} threads", key[3])
    differing = [word for place, word in enumerate(words, start=1) if len({other[place] for other in alike}) > 1]
    return ", ".join((key[0], *differing))


def streams_of(one: Performance) -> str:
    """Streams, and calls in line where there were any, in words."""
    return f"{one.session.streams} streams" + (f" + {one.queued} queued" if one.queued else "")


def _without_batch(one: Performance) -> str:
    """An artefact's id without the batch size that it is fixed to: those for other sizes share it."""
    return one.artefact.removesuffix(f"-bs{one.batch}")
