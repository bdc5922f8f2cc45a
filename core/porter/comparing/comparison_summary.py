"""The comparison as lines and tables of a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from porter.documents.markdown import num
from porter.records.comparison import Change, ChangeOutcome, MetricChange, Presence, RunComparison, SpeedChange
from porter.records.paired import PairedComparison

DASH = "-"
HASH_LENGTH = 64
SHORT = 12
"""Digits of a hash that a terminal shows; --json has all."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A table, and what is said below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    below: tuple[str, ...] = ()


def parts(comparison: RunComparison) -> Iterator[Part]:
    """The tables in order; one without rows says so below."""
    yield _runs(comparison)
    yield _changed(comparison)
    verdicts = tuple((one.title, one.first.upper(), one.second.upper(), one.outcome) for one in comparison.verdicts)
    yield Part(title="Verdicts", columns=("verdict", "first", "second", "outcome"), rows=verdicts)
    yield _accuracy(comparison.accuracy)
    yield _speed(comparison.speed)
    yield _files(comparison)


def conclusion(comparison: RunComparison) -> tuple[str, ...]:
    """What the exit code rests on."""
    if comparison.reproduction is not None:
        if not comparison.reproduction:
            return ("Reproduced.",)
        return ("Not reproduced:", *(f"    {line}" for line in comparison.reproduction))
    if not comparison.worse:
        return ("No loss found in verdicts or accuracy.", *(f"    {line}" for line in comparison.left_open))
    return ("The second run is worse:", *(f"    {line}" for line in comparison.worse))


def change_words(change: Change) -> str:
    """A change in one line."""
    return f"{change.name} {short(change.first)} -> {short(change.second)}"


def short(value: str | None) -> str:
    """A value; a hash by its first digits, nothing as a dash."""
    if value is None:
        return DASH
    is_hash = len(value) == HASH_LENGTH and all(c in "0123456789abcdef" for c in value)
    return value[:SHORT] if is_hash else value


def both(first: str, second: str) -> str:
    """Names of what was compared: one where they are the same."""
    return first if first == second else f"{first or DASH} -> {second or DASH}"


def _runs(comparison: RunComparison) -> Part:
    sides = comparison.first, comparison.second
    rows = [
        ("folder", *(side.folder for side in sides)),
        ("model", *(side.model for side in sides)),
        ("finished", *(side.finished for side in sides)),
        ("images", *(DASH if side.images is None else str(side.images) for side in sides)),
    ]
    return Part(title="Runs", columns=("", "first", "second"), rows=tuple(rows), below=comparison.notes)


def _changed(comparison: RunComparison) -> Part:
    kinds = {
        "input": comparison.inputs,
        "option": comparison.options,
        "version": comparison.versions,
        "machine": comparison.machine,
    }
    rows = tuple(
        (kind, one.name, short(one.first), short(one.second)) for kind, found in kinds.items() for one in found
    )
    below = () if rows else ("inputs, options, versions and machine are the same",)
    return Part(title="Made from", columns=("kind", "what", "first", "second"), rows=rows, below=below)


def _accuracy(found: tuple[MetricChange, ...]) -> Part:
    rows, flips, unpaired = [], list[str](), dict[str, list[str]]()
    for one in found:
        name = both(one.first_evaluation, one.second_evaluation)
        figures = [DASH if value is None else num(value) for value in (one.first, one.second)]
        rows.append((name, f"{one.title}, {one.unit}", *figures, _difference(one), str(one.outcome)))
        if one.paired is not None:
            flips.append(f"{name}, image by image: {_flips(one.paired)}")
        elif one.why_not_paired:
            titles = unpaired.setdefault(one.why_not_paired, [])
            titles += [one.title] if one.title not in titles else []
    below = [*flips, *(f"{', '.join(titles)} not image by image: {why}" for why, titles in unpaired.items())]
    columns = ("evaluation", "metric", "first", "second", "difference", "outcome")
    said = tuple(below) if rows else ("no accuracy to compare",)
    return Part(title="Accuracy", columns=columns, rows=tuple(rows), below=said)


def _difference(one: MetricChange) -> str:
    if one.difference is None:
        return DASH
    interval = None if one.outcome is ChangeOutcome.SAME else one.difference_interval
    return f"{one.difference:+.2f}" + (f" [{num(interval.low)}, {num(interval.high)}]" if interval else "")


def _flips(paired: PairedComparison) -> str:
    lost, gained = paired.right_to_wrong, paired.wrong_to_right
    if not lost + gained:
        return f"all {paired.images} as they were"
    return f"{lost} right to wrong, {gained} wrong to right, of {paired.images}; McNemar's p {paired.p_value:.3g}"


def _speed(found: tuple[SpeedChange, ...]) -> Part:
    rows = tuple(
        (
            both(one.first_artefact, one.second_artefact),
            str(one.batch),
            *(DASH if v is None else num(v, 3) for v in (one.first_ms_per_image, one.second_ms_per_image)),
            DASH if one.ratio is None else f"{one.ratio:.2f}",
            DASH if one.noise_percent is None else f"{one.noise_percent:.1f}%",
            f"{one.outcome}: {one.reason}" if one.reason else str(one.outcome),
        )
        for one in found
    )
    below = [f"measured otherwise: {change_words(change)}" for one in found for change in one.conditions]
    columns = ("artefact", "batch", "first ms/image", "second ms/image", "ratio", "noise", "outcome")
    said = tuple(dict.fromkeys(below)) if rows else ("no speed to compare",)
    return Part(title="Speed", columns=columns, rows=rows, below=said)


def _files(comparison: RunComparison) -> Part:
    differ = [one for one in comparison.files if one.presence is not Presence.SAME]
    rows = tuple(
        (
            one.path,
            *(DASH if size is None else str(size) for size in (one.first_size_bytes, one.second_size_bytes)),
            str(one.presence),
        )
        for one in differ
    )
    same = len(comparison.files) - len(differ)
    said = (
        f"{same} of {len(comparison.files)} files are the same, byte for byte" if comparison.files else "none recorded"
    )
    return Part(title="Files", columns=("file", "first bytes", "second bytes", "content"), rows=rows, below=(said,))
