"""One command at a time in a run's folder."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from porter.errors import BadInput, one_line
from porter.files.whole import sweep

try:
    import fcntl
except ImportError:  # Windows: there is no lock on a folder, and two commands in one are the user's to avoid
    fcntl = None  # type: ignore[assignment]


class FolderLock:
    """Holds a run's folder while a command works in it. The lock is on the folder itself and ends with the process,
    however that ends, so that no file of a lock is ever left behind.

    Taken at once where the folder is there, and by `take` where the command makes it. Raises `BadInput` where another
    command holds it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handle: int | None = None
        self._made: list[Path] = []

    def __enter__(self) -> FolderLock:
        if self._folder.is_dir():
            self._lock()
        return self

    def take(self) -> tuple[Path, ...]:
        """Make the folder where it is not there, and hold it; what a killed command left half written is removed, and
        returned."""
        if self._handle is None:
            self._made = [place for place in (self._folder, *self._folder.parents) if not place.exists()]
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock()
        return sweep(self._folder)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what was made stays unless it is empty
            for place in self._made:
                place.rmdir()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _lock(self) -> None:
        if fcntl is None:
            return
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise BadInput(
                f"--out {one_line(self._folder)}: another porter uses this folder. Wait for it, or use another folder"
            ) from None
        except OSError:  # a file system without locks: nothing to hold
            os.close(handle)
            return
        self._handle = handle
