"""A clock that jumps by hours while a run goes on, and files of other times: what lasts is measured by neither."""

from __future__ import annotations

import datetime
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from slow import Slow
from tiny import start, write_photos

from porter import hookimpl
from porter.contracts.runtime import Session
from porter.errors import BadInput, ExitCode
from porter.machine import clock
from porter.pipeline.kept.caches import Caches, _iso
from porter.records.cached import CacheState
from porter.runfolder.lock import FolderLock
from porter.runfolder.record_file import read_record

HOUR = 3600
JUMPS = (0, 7 * HOUR, -5 * HOUR, 400 * 24 * HOUR, -50 * 365 * 24 * HOUR)
"""Seconds by which the clock is wrong, one after the other; the last is a machine that has lost its time."""
ABSURD = (-(2**33), 2**33, 2**40)
"""Seconds since 1970 at which no file can have been written."""
IMAGES = 60


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the clock finds it elsewhere."""
    true, jump = time.time, itertools.cycle(JUMPS)

    class Now(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.fromtimestamp(time.time(), tz)

    monkeypatch.setattr(time, "time", lambda: true() + next(jump))
    monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * time.time()))
    monkeypatch.setattr(clock, "datetime", SimpleNamespace(datetime=Now))


class Stopped(Slow):
    """By the user's Ctrl-C, in one of its batches."""

    stop = 0

    @hookimpl
    def porter_infer(self, session: Session, feeds: Any) -> Any:
        if self.batches + 1 == self.stop:
            raise KeyboardInterrupt
        return Slow.porter_infer(self, session, feeds)


def durations(value: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Every number of seconds or milliseconds in a record, in seconds."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from durations(inner, str(key))
        case list():
            for inner in value:
                yield from durations(inner, name)
        case float() | int() if name.endswith("_ms"):
            yield name, value / 1000
        case float() | int() if name.endswith("seconds"):
            yield name, value


@pytest.mark.usefixtures("jumping")
def test_a_jumping_clock_changes_no_duration_and_no_decision(tmp_path: Path) -> None:
    out = tmp_path / "out"
    labels = write_photos(tmp_path / "val", [0, 1, 2] * (IMAGES // 3))

    def run(stop: int = 0) -> Any:
        for number, path in enumerate(sorted(out.rglob("*"))):  # written at some time or other
            os.utime(path, (10**9, 10**9 + JUMPS[number % len(JUMPS)]))
        options: dict[str, Any] = {"runtimes": ("onnxruntime",), "batch": 2, "bench_seconds": 0.1}
        plugin = Stopped()
        plugin.stop = stop
        return start(out, tmp_path / "val", labels, plugin=plugin, fresh=False, **options)

    with FolderLock(out) as lock:
        lock.take()
        with pytest.raises(KeyboardInterrupt):
            run(stop=20).everything()
        with pytest.raises(BadInput, match="another porter uses this folder"):
            FolderLock(out).__enter__()
    again = run()
    assert again.everything() is ExitCode.OK
    reference, artefact = again.record.evaluations
    assert 0 < reference.end_to_end.resumed < IMAGES and artefact.end_to_end.resumed == 0
    third = run()
    assert third.everything() is ExitCode.OK
    assert {"export", "evaluations", "performance"} <= set(third.record.kept)
    record = json.loads((out / "run.json").read_bytes())
    found = list(durations({key: value for key, value in record.items() if key != "request"}))
    assert len(found) > 20 and not [one for one in found if not 0 <= one[1] < HOUR]
    assert read_record(out).performance == again.record.performance
    for number, path in enumerate(sorted(out.rglob("*"))):
        os.utime(path, (0, ABSURD[number % len(ABSURD)]))
    assert _iso(2.0**40) == "" < _iso(2.0**33)
    kept = list(Caches(third.job, third.record))
    assert len(kept) > 2 and {one.state for one in kept} == {CacheState.VALID}
