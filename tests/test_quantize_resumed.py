"""An int8 search that was interrupted: the same command goes on from its attempts, and only from those that fit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_quantize import OUTLIER, begin
from tiny import write_photos

from porter.contracts.progress import Progress
from porter.errors import ExitCode
from porter.pipeline.kept.caches import Caches
from porter.pipeline.run import Run
from porter.records.cached import CacheKind, CacheState
from porter.records.quantization import Quantization
from porter.runfolder.layout import ATTEMPTS as FOLDER
from porter.runfolder.layout import ATTEMPTS_LOG as LOG
from porter.runfolder.record_file import read_record

Photos = tuple[Path, Path]


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    return tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2] * 10)


class Interrupting(Progress):
    """Ctrl-C when the run says, or begins, what starts with `at`."""

    def __init__(self, at: str) -> None:
        self._at = at

    def note(self, text: str) -> None:
        if text.startswith(self._at):
            raise KeyboardInterrupt

    @contextmanager
    def step(self, title: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
        self.note(title)
        yield lambda _n: None


def interrupted(out: Path, photos: Photos, at: str = "int8 attempt 2", **options: Any) -> Run:
    run = begin(out, photos, outlier=OUTLIER, **options)
    run.job = replace(run.job, progress=Interrupting(at))
    with pytest.raises(KeyboardInterrupt):
        run.everything()
    run.record = read_record(out)
    return run


def again(out: Path, photos: Photos, **options: Any) -> Quantization:
    run = begin(out, photos, outlier=OUTLIER, fresh=False, **options)
    assert run.everything() is ExitCode.OK
    assert not (out / FOLDER).exists(), "the record has what came of the search"
    assert run.record.quantization is not None
    return run.record.quantization


def without_times(found: Quantization) -> Quantization:
    attempts = tuple(
        replace(one, seconds=0.0, scores=tuple(replace(score, images_per_second=None) for score in one.scores))
        for one in found.attempts
    )
    return replace(found, attempts=attempts, seconds=0.0, resumed=0)


def test_it_goes_on_after_the_last_attempt_and_ends_as_if_nothing_had_happened(tmp_path: Path, photos: Photos) -> None:
    whole = begin(tmp_path / "whole", photos, outlier=OUTLIER)
    whole.everything()
    assert whole.record.quantization is not None and whole.record.quantization.resumed == 0
    run = interrupted(tmp_path / "out", photos)
    assert sorted(path.name for path in (tmp_path / "out" / FOLDER).iterdir()) == [
        "attempt-1.onnx",
        "attempt-2.onnx",
        LOG,
    ]
    [kept] = [one for one in Caches(run.job, run.record) if one.kind is CacheKind.ATTEMPTS]
    assert (kept.path, kept.state, kept.entries) == (FOLDER, CacheState.UNKNOWN, None) and "2 attempts" in kept.reason
    found = again(tmp_path / "out", photos)
    assert found.resumed == 2
    assert found.seconds > sum(one.seconds for one in found.attempts[:2])
    assert without_times(found) == without_times(whole.record.quantization)
    told = "2 of its attempts were made before an interruption."
    assert all(told in (tmp_path / "out" / name).read_text() for name in ("README.md", "report.html"))


def test_what_the_attempts_took_counts_towards_the_limit(tmp_path: Path, photos: Photos) -> None:
    interrupted(tmp_path / "out", photos)
    run = begin(tmp_path / "out", photos, outlier=OUTLIER, fresh=False, search_seconds=0.0)
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert run.record.quantization is not None
    assert (len(run.record.quantization.attempts), run.record.quantization.resumed) == (1, 1)


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("what", "resumed"),
    [("the log", 0), ("no log", 0), ("the first graph", 0), ("the second graph", 1), ("no second graph", 1)],
)
def test_what_is_not_as_it_was_written_is_made_again(tmp_path: Path, photos: Photos, what: str, resumed: int) -> None:
    interrupted(tmp_path / "out", photos)
    name = LOG if what.endswith("log") else f"attempt-{1 if 'first' in what else 2}.onnx"
    path = tmp_path / "out" / FOLDER / name
    path.unlink() if what.startswith("no") else damage(path)
    assert again(tmp_path / "out", photos).resumed == resumed


@pytest.mark.parametrize("what", ["another gate", "a scored image", "a calibration image", "another label"])
def test_what_was_made_from_something_else_is_made_again(tmp_path: Path, photos: Photos, what: str) -> None:
    options: dict[str, Any] = {}
    run = interrupted(tmp_path / "out", photos)
    if what == "another gate":
        options["max_drop"] = 2.0
    elif what == "another label":
        first, rest = photos[1].read_text().split("\n", 1)
        photos[1].write_text(f"{first[:-1]}{(int(first[-1]) + 1) % 3}\n{rest}")
    else:
        scored = [item.id for item in run.job.data.items]
        others = sorted({path.name for path in photos[0].iterdir()} - set(scored))
        changed = photos[0] / (scored[0] if what == "a scored image" else others[0])
        changed.write_bytes(changed.read_bytes() + b"\0")
    assert again(tmp_path / "out", photos, **options).resumed == 0


def test_fresh_forgets_them(tmp_path: Path, photos: Photos) -> None:
    interrupted(tmp_path / "out", photos)
    run = begin(tmp_path / "out", photos, outlier=OUTLIER)
    assert run.everything() is ExitCode.OK
    assert run.record.quantization is not None and run.record.quantization.resumed == 0


def test_a_search_that_is_over_is_not_done_again(tmp_path: Path, photos: Photos) -> None:
    run = interrupted(tmp_path / "out", photos, at="build")
    assert run.record.quantization is not None and run.record.artefacts == ()
    assert again(tmp_path / "out", photos) == run.record.quantization


def test_attempts_that_cannot_be_read_are_damaged_and_pruned(tmp_path: Path, photos: Photos) -> None:
    run = interrupted(tmp_path / "out", photos)
    (tmp_path / "out" / FOLDER / LOG).write_bytes(b"\xff")
    caches = Caches(run.job, run.record)
    [kept] = [one for one in caches if one.kind is CacheKind.ATTEMPTS]
    assert kept.state is CacheState.DAMAGED
    caches.remove([kept])
    assert not (tmp_path / "out" / FOLDER).exists()
