"""Compiled models kept on disk, each with the hash of what was written.

A runtime may load a damaged blob without a word and compute something else. So a blob is used only while its bytes are
those that were written for the same model and settings, and is removed otherwise.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from porter.errors import BadInput
from porter.files.hashes import file_digest
from porter.files.received import read_limited
from porter.files.whole import write_whole

SEAL = "seal.json"
MOST = 1_000_000
"""Bytes of a seal: it lists a few files. A larger one is none."""


@dataclass(frozen=True, kw_only=True)
class Seal:
    """What lies in a folder of blobs."""

    key: str
    """Stands for the model, the settings and the runtime; holds the SHA-256 of each file of the model as it is."""
    blobs: dict[str, str]
    """SHA-256 of each file by its name."""


@contextlib.contextmanager
def blobs(folder: Path | None, key: str) -> Iterator[Path | None]:
    """The folder to keep blobs of this key in, emptied where what lies there is damaged or of another key.

    What was written by the end of the block is sealed. Gives None, and keeps nothing, where the folder is None or
    cannot be written.
    """
    if folder is None:
        yield None
        return
    try:
        if not _holds(folder, key):
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        yield None
        return
    yield folder
    if not (folder / SEAL).exists():
        found = {path.name: file_digest(path) for path in sorted(folder.iterdir())}
        with contextlib.suppress(OSError, BadInput):
            write_whole(folder / SEAL, msgspec.json.encode(Seal(key=key, blobs=found)))


def intact(folder: Path) -> Seal | None:
    """The seal of a folder whose every file is as it was written; None where one is not, or it has no seal."""
    try:
        seal = msgspec.json.decode(read_limited(folder / SEAL, MOST), type=Seal)
        names = {path.name for path in folder.iterdir()} - {SEAL}
        held = names == set(seal.blobs) and all(file_digest(folder / n) == seal.blobs[n] for n in names)
    except (OSError, BadInput, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return seal if held else None


def _holds(folder: Path, key: str) -> bool:
    """Whether the folder is sealed with this key, and every file is as it was written."""
    seal = intact(folder)
    return seal is not None and seal.key == key
