"""A disk that fills up in the middle: one clear line, and once there is room the same command goes on."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from disks import leave_room, small_file_system
from tiny import start, write_photos

from porter.errors import ExitCode, PluginError, is_full_disk
from porter.graphs.quantize.int8_graph import quantiser
from porter.hosting.plugin_faults import raise_as_plugin_error
from porter.pipeline.run import Run

HERE = Path(__file__).parent
SIZES = (48, 120)
"""KiB that are free: enough for the model, and for some of the journal."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with small_file_system(tmp_path / "disk") as folder:
        yield folder


def test_it_ends_in_one_line_and_goes_on_when_there_is_room(tmp_path: Path, small_disk: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 60)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}

    def run(out: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(HERE / "tiny_run.py"), str(out), str(tmp_path / "val"), str(labels)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert run(tmp_path / "whole").returncode == 0
    out = small_disk / "out"
    for free in SIZES:
        leave_room(small_disk, free)
        ended = run(out)
        assert ended.returncode == 3, ended.stderr
        assert ended.stderr.strip().splitlines()[-1].endswith("repeat the command to resume")
        assert "Traceback" not in ended.stderr
    (small_disk / "filler").unlink()
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    ended = run(out)
    assert ended.returncode == 0, ended.stderr
    assert (out / "predictions.csv").read_bytes() == (tmp_path / "whole/predictions.csv").read_bytes()
    assert list(out.rglob("*.part")) == []


STAGES = ("export", "verify", "preprocess", "infer", "evaluate", "bench", "deliver", "diagnose")


def test_every_stage_stops_at_a_full_disk_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 20)
    options: dict[str, Any] = {"runtimes": ("onnxruntime",), "precisions": ("fp32", "int8"), "calibration_images": 6}

    def ended(disk: Path, stage: str, free: int) -> Run:
        leave_room(disk, free)
        run = start(disk / "out", tmp_path / "val", labels, fresh=False, batch=2, **options)
        assert run.alone(stage) is ExitCode.OK
        return run

    with small_file_system(tmp_path / "disk", 4096) as disk:
        for stage in STAGES:
            for free in (0, 12):
                with pytest.raises(OSError) as raised:
                    ended(disk, stage, free)
                assert is_full_disk(raised.value), stage
            run = ended(disk, stage, 1024)
        assert [one.metric("top1").value for one in run.record.evaluations] == [100.0] * 3
        assert not [path for path in (disk / "out").rglob("*") if ".part" in path.name]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_the_machines_fault_whoever_was_writing(number: int, tmp_path: Path) -> None:
    full = OSError(number, os.strerror(number), "there")
    with pytest.raises(OSError) as raised:
        raise_as_plugin_error(full, "tiny", "porter_export")
    assert raised.value is full
    with pytest.raises(OSError) as raised, quantiser(tmp_path / "model.onnx"):
        raise full
    assert raised.value is full


def test_another_error_of_a_file_stays_the_plugins() -> None:
    with pytest.raises(PluginError, match="porter_export raised PermissionError"):
        try:
            raise PermissionError(errno.EACCES, "no right", "there")
        except OSError as error:
            raise_as_plugin_error(error, "tiny", "porter_export")
