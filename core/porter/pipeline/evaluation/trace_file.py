"""The traces of the reference on disk, an image a line, for the passes that are compared with it.

    CRC32 {"key": …}
    CRC32 {"class": [[1000], true, false, 0, 9.1, "…"]}
    CRC32 null

The first line says what made them. An image without outputs has a line as well. Every line carries its CRC-32, as a
journal's do: one that does not hold ends the file, and whatever follows is written anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from porter.files.checked_lines import line_of, value_of
from porter.files.received import lines_of, open_regular
from porter.files.whole import open_own
from porter.pipeline.evaluation.traces import Trace


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    key: str
    """Hash of all that the outputs depend on."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image."""

    outputs: dict[str, Trace] = {}
    """By name; empty where the image has none."""


class TraceFile:
    """The file at `path`, of the outputs that `key` stands for; read from the first image on, then written."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._stream: BinaryIO | None = None
        self._end = 0
        """Offset after the last line that was read and holds; 0: there is none."""

    def read(self) -> Mapping[str, Trace] | None:
        """The traces of the next image; None where there are no more that hold."""
        if self._stream is None and not self._opened():
            return None
        assert self._stream is not None
        text = next(lines_of(self._stream), b"")
        line = value_of(text, Line)
        if line is None:
            return None
        self._end += len(text)
        return line.outputs

    @property
    def place(self) -> int:
        """Where the next image is read, for `back_to`."""
        return self._end

    def back_to(self, place: int) -> None:
        """Forget what was read since then: it is written anew."""
        self._end = place

    def write(self, outputs: Mapping[str, Trace]) -> None:
        """Write those of the next image, after what was read; whatever followed there is gone."""
        if self._stream is None or not self._stream.writable():
            self._start()
        assert self._stream is not None
        self._stream.write(line_of(Line(outputs=dict(outputs))))

    def flush(self) -> None:
        """Let what was written survive the end of the process."""
        if self._stream is not None and self._stream.writable():
            self._stream.flush()

    def close(self) -> None:
        """Release the file."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _opened(self) -> bool:
        try:
            self._stream = open_regular(self.path)
        except OSError:
            return False
        text = next(lines_of(self._stream), b"")
        head = value_of(text, Head)
        if head is None or head.key != self.key:
            self.close()
            return False
        self._end = len(text)
        return True

    def _start(self) -> None:
        self.close()
        self._stream = open_own(self.path, self._end)
        if not self._end:
            self._stream.write(line_of(Head(key=self.key)))


def look_at(path: Path) -> tuple[str, int] | None:
    """The key of a file of traces, and of how many images it has them; None where it is none."""
    images = 0
    try:
        with open_regular(path) as stream:
            lines = lines_of(stream)
            head = value_of(next(lines, b""), Head)
            while value_of(next(lines, b""), Line) is not None:
                images += 1
    except OSError:
        return None
    return None if head is None else (head.key, images)
