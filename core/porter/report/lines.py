"""Which figures belong together: under what name an artefact stands, and which of its speeds make one line."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.performance import Performance
from porter.records.run import RunRecord

REFERENCE = "reference"


@dataclass(frozen=True)
class Line:
    """Speeds at several batch sizes that one line may join: of the same model file but for its batch, fed alike."""

    name: str
    """The artefact's id, without the batch size that it is fixed to."""
    label: str
    """The name, with what was fed where several lines share it."""
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
    groups: dict[tuple[str, str], list[Performance]] = {}
    for name in names(record):
        for one in speeds_of(record, name):
            groups.setdefault((_without_batch(one), str(one.input)), []).append(one)
    found: list[Line] = []
    taken: set[int] = set()
    several = [base for base, _ in groups]
    for (base, fed), group in groups.items():
        first = group[0].artefact if group[0].artefact in names(record) else base
        look = names(record).index(first)
        if look in taken:
            look = max(len(names(record)), max(taken) + 1)
        taken.add(look)
        label = f"{base}, {fed}" if several.count(base) > 1 else base
        found.append(Line(base, label, look, {one.batch: one for one in group}))
    return tuple(found)


def _without_batch(one: Performance) -> str:
    """An artefact's id without the batch size that it is fixed to: those for other sizes share it."""
    return one.artefact.removesuffix(f"-bs{one.batch}")
