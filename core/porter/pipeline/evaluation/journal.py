"""The journal of one evaluation: what every image was answered, a line a batch, so that an interruption loses nothing.

    CRC32 {"key": …, "session": …}
    CRC32 {"start": 0, "images": […], "seconds": {…}, "wall": 0.8, "at": "…"}
    CRC32 {"start": 16, …

The first line says what made the answers; a journal of another key is not read on. Every line carries the CRC-32 of its
text in eight hexadecimal digits: a line that a power cut tore, or that somebody edited, ends what is replayed, and what
comes after it is written anew. A whole journal is the cache of an evaluation.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from porter.data.noting import digest_or_empty
from porter.data.store import open_store
from porter.files.checked_lines import line_of, value_of
from porter.files.received import lines_of, open_regular
from porter.files.whole import open_own
from porter.images.appearance import Appearance
from porter.machine.clock import now
from porter.pipeline.evaluation.gaps import Gap
from porter.pipeline.evaluation.shapes import Judged, JudgedBatch
from porter.records.artefact import SessionInfo
from porter.records.coverage import SettingCheck
from porter.records.manifest import Manifest
from porter.records.message import Text

SYNC_EVERY = 2.0
"""Seconds between two writes through to the disk: what a power cut can cost."""


@dataclass(frozen=True, kw_only=True)
class Header:
    """What made the answers."""

    key: str
    """Hash of every input, option and version that they depend on."""
    session: SessionInfo
    """What really ran."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image as the journal has it; the prediction is decoded by the task's own type."""

    status: str
    prediction: msgspec.Raw = msgspec.Raw(b"null")
    reason: Text = ""
    digest: str = ""
    conversions: tuple[str, ...] = ()
    look: Appearance | None = None
    gaps: tuple[Gap, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One batch as the journal has it."""

    start: int
    images: tuple[Image, ...]
    seconds: dict[str, float]
    wall: float
    """Seconds since the evaluation began, interruptions left out."""
    at: str
    """Local time with offset, ISO 8601."""
    executor: str = "local"
    workers: int = 1
    """Where it was answered, see `porter.records.evaluation.Execution`."""
    check: SettingCheck | None = None
    """With the last batch of a session: what it was found to get wrong."""


class Journal:
    """The journal at `path`, of the evaluation that `key` stands for. `prediction` is the type of its predictions."""

    def __init__(self, path: Path, key: str, prediction: type[Any]) -> None:
        self.path, self.key = path, key
        self._prediction = prediction
        self._end = 0
        """Offset after the last line that holds."""
        self._stream: BinaryIO | None = None
        self._synced = 0.0
        self.session: SessionInfo | None = None
        """What ran, read from the file; None where there is nothing to replay."""
        self.wall = 0.0
        """Seconds that the answers took which are in the journal."""
        self.at = ""
        """When the last of them was written."""
        self.executor, self.workers = "local", 1
        """Where the last of them that was replayed had been answered."""

    def replay(
        self, manifest: Manifest, holds: Callable[[JudgedBatch], bool] = lambda _batch: True
    ) -> Iterator[JudgedBatch]:
        """The batches that hold, in order: whole, following one another, of images that have not changed since, and as
        long as `holds` says so of what else is kept of them."""
        if not self.path.exists():
            return
        store, expected = open_store(manifest.root), 0
        with open_regular(self.path) as stream, ThreadPoolExecutor(4) as pool:
            lines = lines_of(stream)
            header = value_of(next(lines, b""), Header)
            if header is None or header.key != self.key:
                return
            self.session, self._end = header.session, stream.tell()
            for text in lines:
                line = value_of(text, Line)
                if line is None or line.start != expected or not line.images:
                    return
                expected = line.start + len(line.images)
                if expected > len(manifest.items):
                    return
                digests = pool.map(partial(digest_or_empty, store), manifest.items[line.start : expected])
                if list(digests) != [image.digest for image in line.images]:
                    return
                try:
                    batch = self._decoded(line)
                except msgspec.MsgspecError:
                    return
                if not holds(batch):
                    return
                self._end += len(text)
                self.wall, self.at = line.wall, line.at
                self.executor, self.workers = line.executor, line.workers
                yield batch

    def start(self, session: SessionInfo) -> None:
        """Open for writing after what was replayed, or anew where that was answered by another kind of session."""
        self._stream = open_own(self.path, self._end)
        if not self._end:
            self._write(Header(key=self.key, session=session))
        self.session = session

    def append(self, batch: JudgedBatch, wall: float, executor: str = "local", workers: int = 1) -> None:
        """Write one batch; it survives the end of the process at once, and a power cut after `SYNC_EVERY`."""
        self.wall = wall
        self.at = now()
        line: dict[str, object] = {
            "start": batch.start,
            "images": batch.images,
            "seconds": batch.seconds,
            "wall": wall,
            "at": self.at,
        }
        if batch.check is not None:
            line["check"] = batch.check
        if (executor, workers) != ("local", 1):
            line |= {"executor": executor, "workers": workers}
        self._write(line)

    def close(self) -> None:
        """Write everything through to the disk."""
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._stream = None

    def _write(self, value: object) -> None:
        assert self._stream is not None
        self._stream.write(line_of(value))
        self._stream.flush()
        if time.monotonic() - self._synced > SYNC_EVERY:
            os.fsync(self._stream.fileno())
            self._synced = time.monotonic()

    def _decoded(self, line: Line) -> JudgedBatch:
        kind = self._prediction | None
        return JudgedBatch(
            start=line.start,
            seconds=line.seconds,
            check=line.check,
            images=tuple(
                Judged(
                    status=image.status,
                    prediction=msgspec.json.decode(image.prediction, type=kind),
                    reason=image.reason,
                    digest=image.digest,
                    conversions=image.conversions,
                    look=image.look,
                    gaps=image.gaps,
                )
                for image in line.images
            ),
        )


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a journal holds, without a look at the images."""

    key: str
    images: int
    """Images whose answers can be read."""
    problem: str
    """Where its lines stop to hold; empty where they do to the end, or an interruption tore the last one."""


def look(path: Path) -> Look | None:
    """Read a journal line by line; None where it is none."""
    images = 0
    with open_regular(path) as stream:
        lines = lines_of(stream)
        header = value_of(next(lines, b""), Header)
        if header is None:
            return None
        for number, text in enumerate(lines, start=2):
            line = value_of(text, Line)
            if line is None or line.start != images:
                torn = not text.endswith(b"\n") and next(lines, None) is None
                return Look(key=header.key, images=images, problem="" if torn else f"line {number} is damaged")
            images += len(line.images)
    return Look(key=header.key, images=images, problem="")
