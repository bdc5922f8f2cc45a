"""Digests of files and folders, streamed."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from porter.errors import BadInput, one_line
from porter.files.received import open_regular


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hex digest of a file's content. Raises `BadInput` where it cannot be read, or is no regular file on disk."""
    try:
        with open_regular(path) as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise BadInput(f"{one_line(path)}: cannot be read: {error.strerror}") from None


def digest_of(*parts: str) -> str:
    """SHA-256 of texts, joined by line feeds. A name that is no UTF-8 counts by its bytes."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def has_digest(path: Path, sha256: str) -> bool:
    """Whether a file can be read and has that SHA-256."""
    return bool(sha256) and digest_or_empty(path) == sha256


def digest_or_empty(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read, so that it equals the digest of none."""
    try:
        return file_digest(path)
    except BadInput:
        return ""


@dataclass(frozen=True, kw_only=True)
class FolderDigest:
    """The content of a folder."""

    sha256: str
    files: int
    size_bytes: int


def folder_digest(folder: Path) -> FolderDigest:
    """Digest over the files below `folder`, links to files among them, by path and content.

    It is what GNU tools give for `find . -xtype f -print0 | LC_ALL=C sort -z | xargs -0r sha256sum -z | sha256sum`
    in the folder. Raises `BadInput` where a file or folder cannot be read.
    """
    paths = sorted(os.fsencode(path.relative_to(folder)) for path in _files_below(folder))
    whole, size = hashlib.sha256(), 0
    for name in paths:
        path = folder / os.fsdecode(name)
        whole.update(f"{file_digest(path)}  ./".encode() + name + b"\0")
        size += path.stat().st_size
    return FolderDigest(sha256=whole.hexdigest(), files=len(paths), size_bytes=size)


def _files_below(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise BadInput(f"{one_line(error.filename)}: cannot be read: {error.strerror}") from None

    found = (Path(place) / name for place, _, names in os.walk(folder, onerror=refuse) for name in names)
    return [path for path in found if path.is_file()]
