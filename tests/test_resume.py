"""The same command again: it goes on where it was stopped, keeps what holds, and sees whatever changed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny import SPEC, TinyPlugin, start, write_photos

from porter import hookimpl
from porter.builtin.onnxruntime import OnnxRuntime
from porter.contracts.progress import Progress
from porter.contracts.requests import Loaded, LoadRequest
from porter.contracts.runtime import BuildRequest, Session
from porter.errors import ExitCode
from porter.records.artefact import Artefact
from porter.runfolder.record_file import read_record

HERE = Path(__file__).parent
KILLS = int(os.environ.get("PORTER_TEST_KILLS", "5"))


class Counting(TinyPlugin):
    """Counts what is asked of it, and fails after so many batches."""

    def __init__(self, fail_after: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.loads, self.batches, self.fail_after = 0, 0, fail_after

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        self.loads += 1
        return super().porter_load(request)

    @hookimpl
    def porter_infer(self, session: Session, feeds: Any) -> Any:
        self.batches += 1
        if self.batches == self.fail_after:
            raise KeyboardInterrupt
        return session.run(feeds)


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 6)
    return tmp_path / "val", labels


def results(out: Path) -> bytes:
    return (out / "predictions.csv").read_bytes()


def test_the_same_command_does_no_model_work_and_keeps_the_figures(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    assert start(out, *photos, plugin=Counting()).everything() is ExitCode.OK
    first, before = read_record(out), results(out)
    again = Counting()
    assert start(out, *photos, plugin=again, fresh=False).everything() is ExitCode.OK
    second = read_record(out)
    assert (again.loads, again.batches) == (0, 0)
    assert second.performance == first.performance and second.evaluations == first.evaluations
    assert {"export", "parity", "evaluations", "performance"} <= set(second.kept) and first.kept == ()
    assert results(out) == before


def test_fresh_makes_all_anew_and_removes_only_what_the_run_wrote(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    start(out, *photos).everything()
    (out / "notes.txt").write_text("mine")
    (out / "models/mine.onnx").write_text("mine")
    renamed = Counting(spec=replace(SPEC, variant="new"))
    start(out, *photos, plugin=renamed, fresh=True).everything()
    assert renamed.loads == 1
    assert (out / "notes.txt").exists()
    assert {path.name for path in (out / "models").iterdir()} == {"mine.onnx", "tiny_new.onnx"}


@pytest.mark.parametrize(("fail_after", "resumed"), [(12, (0, 0)), (14, (4, 0)), (27, (18, 8))])
def test_an_interrupted_evaluation_goes_on_where_it_stopped(
    tmp_path: Path, photos: tuple[Path, Path], fail_after: int, resumed: tuple[int, int]
) -> None:
    start(tmp_path / "whole", *photos, batch=2).everything()
    out = tmp_path / "out"
    stopped = Counting(fail_after=fail_after)
    with pytest.raises(KeyboardInterrupt):
        start(out, *photos, plugin=stopped, batch=2).everything()
    start(out, *photos, plugin=Counting(), batch=2, fresh=False).everything()
    assert results(out) == results(tmp_path / "whole")
    assert tuple(one.end_to_end.resumed for one in read_record(out).evaluations) == resumed


def test_a_new_runtime_leaves_the_reference_its_answers(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    pytest.importorskip("openvino")
    out = tmp_path / "out"
    start(out, *photos).everything()
    start(out, *photos, runtimes=("onnxruntime", "openvino"), fresh=False).everything()
    resumed = {one.name: one.end_to_end.resumed for one in read_record(out).evaluations}
    assert resumed == {"reference": 18, "onnxruntime-fp32": 18, "openvino-fp32": 0}


def rewritten(path: Path, data: bytes) -> None:
    """Other content under the same size and times."""
    status = path.stat()
    assert len(data) == status.st_size
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("what", ["labels", "an image", "the model", "predictions", "another option", "a journal"])
def test_whatever_changed_is_seen(tmp_path: Path, photos: tuple[Path, Path], what: str) -> None:
    out, (data, labels) = tmp_path / "out", photos
    start(out, *photos).everything()
    before = results(out)
    options: dict[str, Any] = {}
    match what:
        case "labels":
            rewritten(labels, labels.read_bytes().replace(b"000.jpg 0", b"000.jpg 1"))
        case "an image":
            white, red = data / "photo 000.jpg", data / "photo 003.jpg"
            red.write_bytes(white.read_bytes())
        case "the model":
            model = out / "models/tiny.onnx"
            rewritten(model, model.read_bytes()[:-8] + bytes(8))
        case "predictions":
            rewritten(out / "predictions.csv", before[::-1])
        case "another option":
            options = {"limit": 9}
        case _:
            journal = out / "cache/predictions/reference.jsonl"
            rewritten(journal, journal.read_bytes().replace(b"0.", b"1."))
            (out / "predictions.csv").unlink()
    start(out, *photos, fresh=False, **options).everything()
    start(tmp_path / "anew", *photos, **options).everything()
    assert results(out) == results(tmp_path / "anew")
    assert "evaluations" not in read_record(out).kept


def test_a_changed_plugin_is_seen_though_its_version_stayed(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    out = tmp_path / "out"
    start(out, *photos).everything()
    record = read_record(out)
    assert all(use.source_sha256 for use in record.plugins)
    uses = tuple(replace(use, source_sha256="0" * 64) if use.role == "model" else use for use in record.plugins)
    run = start(out, *photos, fresh=False)
    run.record = replace(run.record, plugins=uses)
    run.everything()
    assert "export" not in run.record.kept


def test_kills_at_random_moments_lose_nothing(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 40)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}

    def run(out: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(HERE / "tiny_run.py"), str(out), str(tmp_path / "val"), str(labels)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    began = time.monotonic()
    assert run(tmp_path / "whole").wait() == 0
    takes = time.monotonic() - began
    generator = random.Random(7)
    for kill in range(KILLS):
        out = tmp_path / f"out{kill % 2}"
        process = run(out)
        time.sleep(takes * generator.uniform(0.2, 1.0))
        process.kill()
        process.wait()
    for out in (tmp_path / "out0", tmp_path / "out1"):
        process = run(out)
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr
        assert results(out) == results(tmp_path / "whole")
        assert list(out.rglob("*.part")) == []
        names = {path.relative_to(out) for path in out.rglob("*")}
        assert names == {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*")}


class Copying(OnnxRuntime):
    """Runs a file of its own."""

    name = "copying"

    def build(self, request: BuildRequest) -> Artefact:
        place = request.folder / "tiny-copying.onnx"
        place.write_bytes(request.onnx.read_bytes())
        return replace(super().build(replace(request, onnx=place)), runtime=self.name)


class WithCopying(TinyPlugin):
    @hookimpl
    def porter_runtimes(self) -> list[Copying]:
        return [Copying()]


class Notes(Progress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("touched", [False, True])
def test_a_model_file_that_no_artefact_has_any_more_is_removed_and_named(
    tmp_path: Path, photos: tuple[Path, Path], touched: bool
) -> None:
    out, both = tmp_path / "out", ("onnxruntime", "copying")
    start(out, *photos, plugin=WithCopying(), runtimes=both).everything()
    (out / "models/mine.onnx").write_text("the user's own")
    if touched:
        (out / "models/tiny-copying.onnx").write_text("edited")
    run = start(out, *photos, plugin=WithCopying(), runtimes=("onnxruntime",), fresh=False)
    run.job = replace(run.job, progress=Notes())
    assert run.everything() is ExitCode.OK
    kept = ["mine.onnx", "tiny-copying.onnx", "tiny.onnx"] if touched else ["mine.onnx", "tiny.onnx"]
    assert sorted(path.name for path in (out / "models").iterdir()) == kept
    assert isinstance(run.job.progress, Notes)
    told = [text for text in run.job.progress.said if "tiny-copying.onnx" in text]
    assert len(told) == 1 and told[0].startswith("left models/" if touched else "removed models/")
