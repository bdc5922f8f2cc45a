"""Reading and writing run.json."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from porter.errors import BadInput, one_line
from porter.files.inside import leads_out
from porter.files.outward import is_command
from porter.files.received import read_received
from porter.files.textfile import require_few_values
from porter.files.whole import write_whole
from porter.records.record import SCHEMA_VERSION, RunRecord
from porter.runfolder.commands import derived_commands
from porter.runfolder.layout import RECORD_NAME


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_whole(folder / RECORD_NAME, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(folder: Path) -> RunRecord:
    """Read run.json. Raises `BadInput` where it is absent, of another schema, or wrong in a field."""
    path = folder / RECORD_NAME
    if not path.exists():
        raise BadInput(f"{path}: no run record. Create one with `porter run MODEL --out {folder}`")
    data = read_received(path, "run record")
    require_few_values(data, one_line(path))
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise BadInput(
                f"{path}: schema_version is {version}, this porter reads {SCHEMA_VERSION}. "
                "Read it with the porter that wrote it"
            )
        record = msgspec.json.decode(data, type=RunRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not a run record: {one_line(error)}") from None
    for inside in _paths(record):
        if leads_out(folder, folder / inside):
            raise BadInput(f"{path}: {one_line(inside)!r} leads out of the run folder")
    for said in _commands(record):
        if not is_command(said):
            raise BadInput(f"{path}: {one_line(said)[:100]!r} is not a porter command")
    if record.imported is not None and record.imported.arguments[:1] != ("import",):
        raise BadInput(f"{path}: its import has no arguments")
    return replace(record, commands=derived_commands(record, folder))


def _commands(record: RunRecord) -> Iterator[str]:
    """What the documents show as a command to type, and cannot be derived from the request."""
    yield from (kit.take_back for kit in record.kits)
    if record.diagnosis is not None:
        yield from (finding.command for finding in record.diagnosis.findings)


def _paths(record: RunRecord) -> Iterator[str]:
    """Every path of the record that a command would open, write or remove below the folder."""
    yield from (file.path for file in record.files)
    if record.export is not None:
        yield record.export.path
    for artefact in (*record.artefacts, *(one for kit in record.kits for one in kit.built)):
        yield artefact.id  # names folders of arrays
        yield artefact.path
        yield from (part.path for part in artefact.parts)
    for kit in record.kits:
        yield from (kit.path, kit.list, f"{kit.path}/{kit.script}")
    if record.diagnosis is not None:
        yield from record.diagnosis.charts
    yield from record.accuracy_files


class _Version(msgspec.Struct):
    schema_version: int
