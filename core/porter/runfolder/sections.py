"""Which parts of a record an option or a stage makes stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.runfolder.option_table import OPTIONS

NEEDS = {
    "load": (),
    "export": ("load",),
    "artefacts": ("export",),
    "data": ("load",),
    "quantization": ("export", "data"),
    "preprocessing": ("data",),
    "parity": ("artefacts", "data"),
    "evaluations": ("artefacts", "data"),
    "comparisons": ("evaluations",),
    "performance": ("artefacts", "data"),
    "kits": ("export", "data"),
    "choice": ("parity", "comparisons", "performance"),
    "diagnosis": ("artefacts", "data", "evaluations"),
}
"""Section of the record: the sections that it is made from, which come before it here."""

MADE_FROM = {name: tuple(row.field for row in OPTIONS if name in row.makes) for name in NEEDS}
"""Section of the record: the options that it is made from."""

WITH = {
    "load": ("model", "shipped", "plugins", "hooks", "inputs", "load_failure", "weights_audit"),
    "artefacts": ("untried", "unfinished"),
    "evaluations": ("audit", "tried", "accuracy_files", "label_suspects"),
    "performance": ("tunings",),
}
"""Fields that are cleared along with a section."""


def stale_after(changed: Iterable[str]) -> tuple[str, ...]:
    """The sections that change when the sections `changed` do, themselves included, in order."""
    stale = set(changed)
    for section, needs in NEEDS.items():
        if stale.intersection(needs):
            stale.add(section)
    return tuple(section for section in NEEDS if section in stale)


def stale_between(old: RunRequest, new: RunRequest) -> tuple[str, ...]:
    """The sections that no longer hold when the request changes."""
    differs = {field.name for field in fields(RunRequest) if getattr(old, field.name) != getattr(new, field.name)}
    return stale_after(section for section, options in MADE_FROM.items() if differs.intersection(options))


def sections_of(record: RunRecord) -> tuple[str, ...]:
    """The sections that the record has, in order."""
    return tuple(section for section in NEEDS if getattr(record, section))


def lost(before: RunRecord, after: RunRecord) -> tuple[str, ...]:
    """The sections that only the first record has, in order."""
    return tuple(section for section in sections_of(before) if section not in sections_of(after))


def changed_flags(old: RunRequest, new: RunRequest) -> tuple[str, ...]:
    """The options that differ and that a section is made from, as they are typed."""
    differing = [row for row in OPTIONS if row.makes and getattr(old, row.field) != getattr(new, row.field)]
    return tuple(row.metavar if row.field == "model" else row.flag for row in differing)


def clear(record: RunRecord, sections: Iterable[str]) -> RunRecord:
    """The record without these sections, as if they had not been measured.

    Artefacts are made from the int8 graph where there is one, and it from the images; else they know no images.
    """
    sections = set(sections)
    if "quantization" in sections and record.quantization is not None:
        sections.update(stale_after(["artefacts"]))
    names = [name for section in sections for name in (section, *WITH.get(section, ()))]
    blank = RunRecord(porter="", created="", command="", request=record.request)
    return replace(record, **{name: getattr(blank, name) for name in names})
