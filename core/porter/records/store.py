"""Files that appear whole or not at all, and the reading and writing of run.json."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from porter.errors import BadInput, one_line
from porter.records.run import SCHEMA_VERSION, RunRecord

RECORD_NAME = "run.json"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync it and rename it over `path`, else remove it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None:  # a write that failed, as on a full disk, does not say where
            error.filename = str(path)
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_whole(folder / RECORD_NAME, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def read_record(folder: Path) -> RunRecord:
    """Read run.json. Raises `BadInput` where it is absent, of another schema, or wrong in a field."""
    path = folder / RECORD_NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no run record here; `porter run MODEL --out {folder}` makes one") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise BadInput(f"{path}: schema_version is {version}, this porter reads {SCHEMA_VERSION}")
        record = msgspec.json.decode(data, type=RunRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not a run record: {one_line(error)}") from None
    for inside in _paths(record):
        if Path(inside).is_absolute() or ".." in Path(inside).parts:
            raise BadInput(f"{path}: {one_line(inside)!r} leads out of the run's folder")
    return record


def _paths(record: RunRecord) -> Iterator[str]:
    """Every path of the record that a stage would open below the folder."""
    if record.export is not None:
        yield record.export.path
    for artefact in record.artefacts:
        yield artefact.path
        yield from (part.path for part in artefact.parts)
    yield from record.task_files


class _Version(msgspec.Struct):
    schema_version: int


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
