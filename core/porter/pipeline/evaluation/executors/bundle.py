"""Files that a worker needs: taken from where they lie if its machine has them there, else sent to it once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from porter.errors import BadInput, one_line
from porter.files.hashes import has_digest
from porter.files.whole import whole_file

try:
    import fcntl
except ImportError:  # Windows: two workers of one machine may then both write the same content
    fcntl = None  # type: ignore[assignment]

CHUNK = 32 * 2**20
"""Bytes of a file that are sent at a time."""


@dataclass(frozen=True, kw_only=True)
class Needed:
    """One file, by content."""

    origin: str
    """Absolute path on the machine of the run, which others may share."""
    place: str
    """Path in the bundle, with `/` between its parts."""
    sha256: str

    def lies_there(self) -> bool:
        """Whether this machine has it at its origin."""
        return has_digest(Path(self.origin), self.sha256)

    def chunks(self) -> Iterator[bytes]:
        """Its content, in pieces."""
        with Path(self.origin).open("rb") as stream:
            while piece := stream.read(CHUNK):
                yield piece


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """Files that belong together, such as a graph and its weights."""

    files: tuple[Needed, ...]

    @property
    def folder(self) -> Path:
        """Where this machine keeps them, by content: `porter-UID/SHA256` in its folder for temporary files."""
        user = os.getuid() if hasattr(os, "getuid") else "files"
        whole = hashlib.sha256("\n".join(f"{file.place} {file.sha256}" for file in self.files).encode())
        return Path(tempfile.gettempdir()) / f"porter-{user}" / whole.hexdigest()

    @property
    def lies_there(self) -> bool:
        """Whether this machine has every file at its origin, as on a shared file system."""
        return all(file.lies_there() for file in self.files)

    @property
    def was_sent(self) -> bool:
        """Whether this machine has every file, sent to it before."""
        return all(has_digest(self.folder / file.place, file.sha256) for file in self.files)

    def receive(self, contents: Iterable[Iterable[bytes]]) -> None:
        """Write the content of each file, once on a machine. Raises `BadInput` where one is not what was sent."""
        with _alone(self.folder):
            if self.was_sent:
                return
            for file, pieces in zip(self.files, contents, strict=True):
                _write(self.folder / file.place, pieces, file.sha256)


def needed(origin: Path, place: str, sha256: str) -> Needed:
    """A file as it goes into a bundle. Raises `BadInput` for a place outside of it."""
    if PurePosixPath(place).is_absolute() or ".." in PurePosixPath(place).parts:
        raise BadInput(f"{one_line(place)}: leads out of the run folder")
    return Needed(origin=str(origin.absolute()), place=place, sha256=sha256)


def _write(path: Path, pieces: Iterable[bytes], sha256: str) -> None:
    digest = hashlib.sha256()
    with whole_file(path) as temporary:
        with temporary.open("wb") as stream:
            for piece in pieces:
                digest.update(piece)
                stream.write(piece)
        if digest.hexdigest() != sha256:
            raise BadInput(f"{one_line(path)}: differs from what was sent: it changed while it was read or on the way")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, which this user alone can write, against other workers of the machine."""
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    status = folder.parent.lstat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise BadInput(f"{folder.parent}: belongs to another user, or others can write to it. Remove it")
    folder.mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
