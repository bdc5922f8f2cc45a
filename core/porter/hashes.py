"""Digests of files, streamed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from porter.errors import BadInput, one_line


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Hex digest of a file's content. Raises `BadInput` where the file cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise BadInput(f"{one_line(path)}: cannot be read: {error.strerror}") from None
