"""What two runs were made from: inputs, options, versions, machine. Only what differs is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from porter.records.comparison import Change
from porter.records.environment import Environment
from porter.records.record import RunRecord
from porter.records.request import RunRequest

FILES = ("config", "checkpoint", "data", "labels", "class_map", "calibration", "plugin_files", "host_facts")
"""Options that name files: what is in them counts, and is compared by content."""
NOT_THE_MACHINE = ("python", "packages", "load_average")
"""Versions stand apart, and how busy a machine was is not what it is."""
MACHINE = "machine"


def changed_inputs(first: RunRecord, second: RunRecord) -> tuple[Change, ...]:
    """What the runs read, by SHA-256."""
    return changes(_inputs(first), _inputs(second))


def changed_options(first: RunRecord, second: RunRecord) -> tuple[Change, ...]:
    """What was asked for. Where a file lies, and what a default came to, is no difference."""
    return changes(_options(first.request), _options(second.request))


def changed_versions(first: RunRecord, second: RunRecord) -> tuple[Change, ...]:
    """Packages, Python, and plugins, whose code counts as their version does.

    Packages and Python only where both records have them: an imported one knows of no machine.
    """
    known = first.environment is not None and second.environment is not None
    return changes(_versions(first, packages=known), _versions(second, packages=known))


def changed_machine(first: RunRecord, second: RunRecord) -> tuple[Change, ...]:
    """What bounds a measurement; where one record knows of no machine, that alone."""
    one, other = first.environment, second.environment
    if one is None or other is None:
        return changes({MACHINE: one.cpu} if one else {}, {MACHINE: other.cpu} if other else {})
    return changes(_machine(one), _machine(other))


def changes(first: Mapping[str, str], second: Mapping[str, str]) -> tuple[Change, ...]:
    """The names whose values differ, in the order of the first, then of the second."""
    names = dict.fromkeys((*first, *second))
    pairs = ((name, first.get(name), second.get(name)) for name in names)
    return tuple(Change(name=name, first=a, second=b) for name, a, b in pairs if a != b)


def _inputs(record: RunRecord) -> dict[str, str]:
    found = {entry.role: entry.sha256 for entry in record.inputs}
    if record.data is not None:
        found["manifest"] = record.data.manifest_sha256
        if record.data.content_sha256:
            found["images"] = record.data.content_sha256
    return found


def _options(request: RunRequest) -> dict[str, str]:
    values = {field.name: getattr(request, field.name) for field in fields(RunRequest) if field.name not in FILES}
    return {name: _shown(value) for name, value in values.items() if value not in (None, ())}


def _versions(record: RunRecord, *, packages: bool) -> dict[str, str]:
    found = {"porter": record.porter}
    if packages and record.environment is not None:
        found["python"] = record.environment.python
        found.update(record.environment.packages)
    for use in record.plugins:
        source = f", code {use.source_sha256[:12]}" if use.source_sha256 else ""
        found[f"plugin of {use.role}"] = f"{use.plugin} {use.version}{source}"
    return found


def _machine(environment: Environment) -> dict[str, str]:
    names = [field.name for field in fields(Environment) if field.name not in NOT_THE_MACHINE]
    values = {name.replace("_", " "): getattr(environment, name) for name in names}
    return {name: _shown(value) for name, value in values.items() if value not in (None, "", ())}


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
