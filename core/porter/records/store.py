"""Files that appear whole or not at all, and the reading and writing of run.json."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from shutil import rmtree

import msgspec

from porter.errors import BadInput, one_line
from porter.records.run import SCHEMA_VERSION, RunRecord

RECORD_NAME = "run.json"
MAX_RECORD_BYTES = 256 * 1024 * 1024
"""Larger files are refused unread: a record of a million images takes a few megabytes."""
HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}\.part", re.DOTALL)
"""Temporary names of `whole_file`."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success sync it and rename it over `path`, else remove it.

    Folders that were made for it go with it.
    """
    made = [folder for folder in (path.parent, *path.parent.parents) if not folder.exists()]
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
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename is None:  # a write that failed, as on a full disk, does not say where
            error.filename = str(path)
        raise
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
        with suppress(OSError):  # not empty: the file is there, or another one
            for folder in made:
                folder.rmdir()


def sweep(folder: Path) -> None:
    """Remove what a killed command left half written below `folder`, which is under a temporary name of porter's."""
    for path in [path for path in folder.rglob(".*.part") if HALF_WRITTEN.fullmatch(path.name)]:
        if path.is_dir() and not path.is_symlink():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut, where the system lets a folder be synced."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write run.json."""
    write_whole(folder / RECORD_NAME, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n")


def require_no_way_out(folder: Path, names: Iterable[str]) -> None:
    """Raise `BadInput` for a link out of a run's folder among its subfolders `names` and what they hold.

    What a run writes there would land elsewhere.
    """
    inside = os.path.realpath(folder)
    for place, folders, files in chain.from_iterable(os.walk(folder / name) for name in names):
        for path in (Path(place), *(Path(place, name) for name in (*folders, *files))):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise BadInput(f"{one_line(path)}: a link that leads out of the run's folder; replace or remove it")


def read_record(folder: Path) -> RunRecord:
    """Read run.json. Raises `BadInput` where it is absent, of another schema, or wrong in a field."""
    path = folder / RECORD_NAME
    try:
        if path.exists() and not path.is_file():
            raise BadInput(f"{path}: not a regular file")
        if path.exists() and path.stat().st_size > MAX_RECORD_BYTES:
            raise BadInput(f"{path}: larger than {MAX_RECORD_BYTES} bytes; this cannot be a run record")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{path}: no run record here; `porter run MODEL --out {folder}` makes one") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version != SCHEMA_VERSION:
            raise BadInput(
                f"{path}: schema_version is {version}, this porter reads {SCHEMA_VERSION}; "
                "read it with the porter that wrote it"
            )
        record = msgspec.json.decode(data, type=RunRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not a run record: {one_line(error)}") from None
    for inside in _paths(record):
        if not _leads_inside(folder, inside):
            raise BadInput(f"{path}: {one_line(inside)!r} leads out of the run's folder")
    return record


def _paths(record: RunRecord) -> Iterator[str]:
    """Every path of the record that a command would open, write or remove below the folder."""
    yield from (file.path for file in record.files)
    if record.export is not None:
        yield record.export.path
    for artefact in (*record.artefacts, *(one for kit in record.kits for one in kit.built)):
        yield artefact.id  # names folders of arrays
        yield artefact.path
        yield from (part.path for part in artefact.parts)
    yield from record.task_files


def _leads_inside(folder: Path, path: str) -> bool:
    """Whether `path` stays below `folder`, as it is spelled and with links followed."""
    parts = Path(path).parts
    if "\0" in path or not parts or Path(path).is_absolute() or ".." in parts:
        return False
    return Path(os.path.realpath(folder / path)).is_relative_to(os.path.realpath(folder))


class _Version(msgspec.Struct):
    schema_version: int


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
