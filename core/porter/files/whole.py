"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from shutil import copyfile, rmtree
from typing import BinaryIO

from porter.errors import BadInput, one_line

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


def sweep(folder: Path) -> tuple[Path, ...]:
    """Remove what a killed command left half written below `folder`, which is under a temporary name of porter's.

    Returns what it removed.
    """
    found = tuple(path for path in folder.rglob(".*.part") if HALF_WRITTEN.fullmatch(path.name))
    for path in found:
        if path.is_dir() and not path.is_symlink():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return found


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


def open_own(path: Path, keep: int) -> BinaryIO:
    """Open a file for writing after its first `keep` bytes; what followed is gone.

    It is a file of its own afterwards: one that other names share, by a link of either kind, is copied first, so that
    these keep what they had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not keep:
        path.unlink(missing_ok=True)
    elif path.is_symlink() or path.stat().st_nlink > 1:
        with whole_file(path) as temporary:
            copyfile(path, temporary)
    stream = path.open("r+b" if keep else "xb")
    stream.truncate(keep)
    stream.seek(keep)
    return stream


def require_no_way_out(folder: Path, names: Iterable[str]) -> None:
    """Raise `BadInput` for a link out of a run's folder among its subfolders `names` and what they hold.

    What a run writes there would land elsewhere.
    """
    inside = os.path.realpath(folder)
    for place, folders, files in chain.from_iterable(os.walk(folder / name) for name in names):
        for path in (Path(place), *(Path(place, name) for name in (*folders, *files))):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(inside):
                raise BadInput(f"{one_line(path)}: a link that leads out of the run folder. Replace or remove it")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
