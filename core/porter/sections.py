"""Which parts of a record an option or a stage makes stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from porter.records.request import RunRequest
from porter.records.run import RunRecord

MADE_FROM = {
    "load": ("model", "config", "checkpoint", "checkpoint_sha256", "checkpoint_md5", "weights", "trust_checkpoint"),
    "export": ("opset",),
    "artefacts": ("runtimes", "precisions", "soc_version", "calibration", "calibration_images", "search_seconds"),
    "data": ("data", "labels", "class_map", "label_offset", "limit"),
    "preprocessing": (),
    "parity": ("atol", "rtol", "provider", "threads", "streams"),
    "evaluations": ("batch", "batch_sizes", "provider", "threads", "streams"),
    "comparisons": ("max_drop",),
    "performance": ("batch_sizes", "bench_seconds", "bench_input", "provider", "threads", "streams"),
    "diagnosis": ("atol", "rtol"),
}
"""Section of the record: the options that it is made from."""

NEEDS = {
    "load": (),
    "export": ("load",),
    "artefacts": ("export",),
    "data": ("load",),
    "preprocessing": ("data",),
    "parity": ("artefacts", "data"),
    "evaluations": ("artefacts", "data"),
    "comparisons": ("evaluations",),
    "performance": ("artefacts", "data"),
    "diagnosis": ("artefacts", "data", "evaluations"),
}
"""Section of the record: the sections that it is made from, which come before it here."""

WITH = {
    "load": ("model", "shipped", "plugins", "inputs", "load_failure"),
    "evaluations": ("task_files", "label_suspects"),
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


def clear(record: RunRecord, sections: Iterable[str]) -> RunRecord:
    """The record without these sections, as if they had not been measured."""
    names = [name for section in sections for name in (section, *WITH.get(section, ()))]
    blank = RunRecord(porter="", created="", command="", request=record.request)
    return replace(record, **{name: getattr(blank, name) for name in names})
