"""An extra that is not installed: one line that says how to get it, and nothing else is the worse for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from porter.runfolder.layout import TENSORS


def without(package: str, tmp_path: Path) -> dict[str, str]:
    """An environment in which importing `package` fails, as where it is not installed."""
    folder = tmp_path / "blocked"
    folder.mkdir()
    (folder / f"{package}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{package}'\")\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture
def without_openvino(tmp_path: Path) -> dict[str, str]:
    return without("openvino", tmp_path)


def porter(environment: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "porter.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_a_run_stops_before_any_work_and_names_the_extra(without_openvino: dict[str, str], tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    both = ("--runtime", "onnxruntime", "--runtime", "openvino")
    done = porter(without_openvino, "run", "hrnet", *both, "--out", "out", cwd=work)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.count("\n") == 1
    assert "runtime openvino is not available" in done.stderr
    assert "pip install 'porter-core[openvino]'" in done.stderr
    assert list(work.iterdir()) == []


def test_doctor_says_how_to_get_it(without_openvino: dict[str, str], tmp_path: Path) -> None:
    done = porter(without_openvino, "doctor", "--json", cwd=tmp_path)
    status = json.loads(done.stdout)["runtimes"]["openvino"]
    assert status["available"] is False and "pip install 'porter-core[openvino]'" in status["advice"]
    plain = porter(without_openvino, "doctor", cwd=tmp_path)
    assert plain.returncode == 0 and "openvino: not available; " in plain.stdout


def test_plugins_are_listed_all_the_same(without_openvino: dict[str, str], tmp_path: Path) -> None:
    done = porter(without_openvino, "plugins", cwd=tmp_path)
    assert done.returncode == 0 and "runtimes: openvino" in done.stdout


def test_without_numba_the_bytes_are_the_same_and_doctor_and_record_say_what_would_be_faster(tmp_path: Path) -> None:
    advice = "Numba cannot be imported (No module named 'numba'); `pip install 'porter-core[fast]'` installs it"
    blocked = without("numba", tmp_path)
    assert f"preprocessing is not at its fastest: {advice}\n" in porter(blocked, "doctor", cwd=tmp_path).stdout
    inputs = ["preprocess", "hrnet", "--limit", "9"]
    for environment, out in ((blocked, "slow"), (dict(os.environ), "fast")):
        done = porter(environment, *inputs, "--out", out, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    slow, fast = (
        {path.name: path.read_bytes() for path in (tmp_path / out / TENSORS).iterdir() if path.suffix != ".json"}
        for out in ("slow", "fast")
    )
    assert slow and slow == fast
    said = json.loads((tmp_path / "slow/run.json").read_text())["environment"]["slower_because"]
    assert "porter-core[fast]" in json.dumps(said)
    assert not json.loads((tmp_path / "fast/run.json").read_text())["environment"]["slower_because"]
