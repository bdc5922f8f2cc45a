"""Which parts of a record an option or a stage makes stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

from porter.records.record import RunRecord
from porter.records.request import RunRequest

MADE_FROM = {
    "load": ("model", "config", "checkpoint", "checkpoint_sha256", "checkpoint_md5", "weights", "trust_checkpoint"),
    "export": ("opset",),
    "artefacts": (
        *("runtimes", "precisions", "targets", "options"),
        *("calibration", "calibration_images", "search_seconds"),
    ),
    "data": ("data", "labels", "class_map", "label_offset", "limit", "approximate_decode"),
    "quantization": ("runtimes", "precisions", "calibration", "calibration_images", "search_seconds", "max_drop"),
    "preprocessing": (),
    "parity": ("atol", "rtol", "provider", "threads", "streams"),
    "evaluations": ("batch", "batch_sizes", "provider", "threads", "streams"),
    "comparisons": ("max_drop",),
    "performance": ("batch_sizes", "bench_seconds", "bench_input", "tune", "provider", "threads", "streams"),
    "kits": ("runtimes", "precisions", "targets", "options", "batch", "batch_sizes"),
    "choice": ("precisions",),
    "diagnosis": ("atol", "rtol"),
}
"""Section of the record: the options that it is made from."""

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

WITH = {
    "load": ("model", "shipped", "plugins", "inputs", "load_failure"),
    "artefacts": ("untried", "unfinished"),
    "evaluations": ("accuracy_files", "label_suspects", "approximation"),
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
    differs.discard("trust_checkpoint")  # what can be read, is read safely; leave to do otherwise changes no weight
    return stale_after(section for section, options in MADE_FROM.items() if differs.intersection(options))


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
