"""Without the package `openvino`: one line that says how to get it, and nothing else is the worse for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import porter


@pytest.fixture
def without_openvino(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing `openvino` fails, as where it is not installed."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / "openvino.py").write_text("raise ModuleNotFoundError(\"No module named 'openvino'\")\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def test_a_run_stops_before_any_work_and_names_the_package(without_openvino: dict[str, str], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    both = ("--runtime", "onnxruntime", "--runtime", "openvino")
    done = porter(without_openvino, "run", "hrnet", *both, "--out", "out", cwd=work)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "runtime openvino is not available" in done.stderr
    assert "pip install 'openvino>=2025.0'" in done.stderr
    assert list(work.iterdir()) == []


def test_doctor_says_how_to_get_it(without_openvino: dict[str, str], tmp_path: Path) -> None:
    done = porter(without_openvino, "doctor", "--json", cwd=tmp_path)
    status = json.loads(done.stdout)["runtimes"]["openvino"]
    assert status["available"] is False and "pip install 'openvino>=2025.0'" in status["advice"]
    plain = porter(without_openvino, "doctor", cwd=tmp_path)
    assert plain.returncode == 0 and "openvino: not available; " in plain.stdout


def test_plugins_are_listed_all_the_same(without_openvino: dict[str, str], tmp_path: Path) -> None:
    done = porter(without_openvino, "plugins", cwd=tmp_path)
    assert done.returncode == 0 and "runtimes: openvino" in done.stdout
