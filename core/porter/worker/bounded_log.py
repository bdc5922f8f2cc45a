"""What a worker prints: its beginning and its end in a file, whatever comes between, and never a reason to wait."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from porter.errors import one_line
from porter.files.whole import write_whole

HEAD_BYTES = TAIL_BYTES = 1 << 18
"""So much is kept from the beginning, and so much from the end."""
SHOWN_LINES, SHOWN_CHARACTERS = 3, 300
"""Of the end, in an error."""


class BoundedLog:
    """Reads a pipe until nobody writes to it any more. The file is written when something was printed."""

    def __init__(self, descriptor: int, path: Path | None) -> None:
        self.path = path
        """Where it is written; None: the end is kept for errors, and no more."""
        self.heard = time.monotonic()
        """When something was last printed, or the reading began."""
        self._descriptor = descriptor
        self._head, self._tail, self._size = bytearray(), bytearray(), 0
        self._reader = threading.Thread(target=self._read, daemon=True, name="porter-worker-log")
        self._reader.start()

    def close(self, patience: float = 1.0) -> None:
        """Write the file, once the pipe has ended or `patience` seconds passed: a process left behind may hold it."""
        self._reader.join(patience)
        if self._size and self.path is not None:
            left_out = self._size - len(self._head) - len(self._tail)
            gap = f"\n[{left_out} bytes left out]\n".encode() if left_out else b""
            write_whole(self.path, bytes(self._head) + gap + bytes(self._tail))

    def end(self) -> str:
        """The last lines on one line, for an error; empty where nothing was printed."""
        text = bytes(self._tail or self._head).decode(errors="backslashreplace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return one_line(" / ".join(lines[-SHOWN_LINES:]))[-SHOWN_CHARACTERS:]

    def _read(self) -> None:
        try:
            while data := os.read(self._descriptor, 1 << 16):
                self.heard = time.monotonic()
                self._size += len(data)
                room = HEAD_BYTES - len(self._head)
                self._head += data[:room]
                self._tail += data[max(room, 0) :]
                del self._tail[:-TAIL_BYTES]
        finally:
            os.close(self._descriptor)
