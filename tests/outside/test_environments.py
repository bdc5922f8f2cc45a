"""Environments of runtimes: made once and whole, known by their lock, listed and removed; from wheels on disk."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from site_folder import install, write_wheel

from porter.cli.main import main
from porter.contracts.progress import Progress
from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import ExitCode, Missing
from porter.worker.environments import LOCK_NAME, environments_folder, lock_of, log_of, place_of, python_of
from porter.worker.installing import commands
from porter.worker.interpreter import find_interpreter
from porter.worker.process import Errand, call_once

PLUGIN = """
from pathlib import Path
from porter import WorkerEnvironment, WorkerRuntime, hookimpl

class Little(WorkerRuntime):
    name = "little"
    environment = WorkerEnvironment(requirements=Path({requirements!r}), python={python!r})
    script = Path({script!r})
    package = "little-engine"

@hookimpl
def porter_runtimes():
    return [Little()]
"""
SCRIPT = "import little_engine\ndef version(request):\n    return little_engine.__version__\n"
Run = Callable[..., tuple[int, str, str]]


class Noting(Progress):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PORTER_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin")))
    return tmp_path / "cache"


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    """A pinned wheel that is on disk, so that no index is asked."""
    write_wheel(tmp_path / "wheels", "little-engine", "1.5")
    write_wheel(tmp_path / "wheels", "little-engine", "2.0")
    return write(tmp_path, "little-engine==1.5")


def write(folder: Path, wanted: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text(f"--no-index\n--find-links {folder}/wheels\n{wanted}\n", encoding="utf-8")
    return path


@pytest.fixture
def porter(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command line, where the plugin is installed."""
    site, script = tmp_path / "site", tmp_path / "inside.py"
    script.write_text(SCRIPT, encoding="utf-8")
    install(site, "porter-little", little="porter_little_plugin")
    monkeypatch.syspath_prepend(site)

    def run(*arguments: str, python: str = "") -> tuple[int, str, str]:
        text = PLUGIN.format(requirements=str(requirements), script=str(script), python=python)
        (site / "porter_little_plugin.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, "porter_little_plugin", raising=False)
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        with pytest.raises(SystemExit) as stopped:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(stopped.value.code or 0), printed.out, printed.err

    return run


def test_it_is_made_once_and_has_its_own_packages(tmp_path: Path, requirements: Path) -> None:
    environment, noting = WorkerEnvironment(requirements=requirements), Noting()
    assert lock_of("little", environment) is None
    with ThreadPoolExecutor(3) as pool:
        pythons = list(pool.map(lambda _: python_of("little", environment, noting), range(3)))
    made = [note for note in noting.notes if "creating its environment once" in note]
    assert len(made) == 1 and len(set(pythons)) == 1
    lock = lock_of("little", environment)
    assert lock is not None and "little-engine==1.5" in lock.packages and lock.python in made[0]
    assert importlib.util.find_spec("little_engine") is None  # porter's own environment is as it was
    script = tmp_path / "inside.py"
    script.write_text(SCRIPT, encoding="utf-8")
    assert call_once(Errand(runtime="little", python=pythons[0], script=script), "version", {}) == "1.5"
    write(tmp_path, "little-engine==2.0")  # other pins are another environment
    assert lock_of("little", environment) is None
    assert python_of("little", environment, noting) != pythons[0]
    assert len(list(environments_folder().glob("little-*/"))) == 2


def test_hashes_are_checked(tmp_path: Path, requirements: Path) -> None:
    wheel = tmp_path / "wheels/little_engine-1.5-py3-none-any.whl"
    good = hashlib.sha256(wheel.read_bytes()).hexdigest()
    environment = WorkerEnvironment(requirements=write(tmp_path, f"little-engine==1.5 --hash=sha256:{'0' * 64}"))
    with pytest.raises(Missing, match="little-engine==1"):
        python_of("little", environment, Progress())
    write(tmp_path, f"little-engine==1.5 --hash=sha256:{good}")
    assert python_of("little", environment, Progress()).exists()


def test_one_that_cannot_be_made_is_one_line_and_leaves_nothing(tmp_path: Path, requirements: Path) -> None:
    environment = WorkerEnvironment(requirements=write(tmp_path, "no-such-engine==9"))
    with pytest.raises(Missing) as raised:
        python_of("little", environment, Progress())
    assert raised.value.exit_code is ExitCode.MISSING
    line, folder = str(raised.value), place_of("little", environment).folder
    assert "\n" not in line and "No matching distribution found for no-such-engine==9" in line
    assert f"runtime little: its environment cannot be created from {requirements}" in line
    assert str(log_of(folder)) in line and "no-such-engine" in log_of(folder).read_text()
    assert not folder.exists()


def test_what_a_kill_left_half_made_is_made_anew(requirements: Path, porter: Run) -> None:
    environment = WorkerEnvironment(requirements=requirements)
    folder = place_of("little", environment).folder
    (folder / "bin").mkdir(parents=True)
    (folder / "bin/python").write_text("half")
    assert "not whole" in porter("env", "list")[1]
    python_of("little", environment, Progress())
    assert (folder / LOCK_NAME).is_file() and "little-engine==1.5" in (folder / LOCK_NAME).read_text()


def test_uv_makes_it_where_it_is_on_the_path(
    tmp_path: Path, requirements: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = find_interpreter("")
    plain = commands(tmp_path / "e", interpreter, requirements)
    assert plain[1][:5] == (f"{tmp_path}/e/bin/python", "-I", "-m", "pip", "install")
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n")
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", str(uv.parent))
    make, fill = commands(tmp_path / "e", interpreter, requirements)
    assert make[:2] == (str(uv), "venv") and fill[:3] == (str(uv), "pip", "install")
    assert "--only-binary" in fill and "--require-hashes" not in fill


def test_doctor_and_env_show_and_remove_it(porter: Run, requirements: Path) -> None:
    place = place_of("little", WorkerEnvironment(requirements=requirements))
    _, told, _ = porter("doctor")
    assert f"created at first use in {place.folder}" in told
    assert f"{place.name}  little   not made yet" in porter("env", "list")[1]
    code, _, problem = porter("env", "remove", place.name)
    assert code == 2 and "no such environment" in problem
    python_of("little", WorkerEnvironment(requirements=requirements), Progress())
    assert f"{place.folder}: made, " in porter("doctor")[1]
    [found] = json.loads(porter("env", "list", "--json")[1])["environments"]
    assert (found["name"], found["runtime"], found["state"]) == (place.name, "little", "made")
    assert found["packages"] >= 1 and found["size_bytes"] > 100_000
    assert json.loads(porter("doctor", "--json")[1])["environments"] == [found]
    write(requirements.parent, "little-engine==2.0")
    states = {one["state"] for one in json.loads(porter("env", "list", "--json")[1])["environments"]}
    assert states == {"not made yet", "unused"}
    code, removed, _ = porter("env", "remove", place.name)
    assert code == 0 and removed.splitlines() == [f"removed: 1, {found['size_bytes']} bytes", f"    {place.folder}"]
    assert not place.folder.exists() and not log_of(place.folder).exists()
    python_of("little", WorkerEnvironment(requirements=requirements), Progress())
    report = json.loads(porter("env", "remove", "--all", "--json")[1])
    assert len(report["removed"]) == 1 and [one["state"] for one in report["environments"]] == ["not made yet"]


def test_env_remove_says_what_it_needs(porter: Run) -> None:
    for arguments in ((), ("a", "--all")):
        code, _, problem = porter("env", "remove", *arguments)
        assert code == 2 and "no environment given. Name those to remove" in problem
    code, _, problem = porter("env", "remove", "../site")
    assert code == 2 and "no such environment" in problem


def test_an_interpreter_that_is_absent_is_said_by_doctor(porter: Run) -> None:
    told = porter("doctor", python="3.99")[1]
    assert "little: not available; python3.99: no such Python on this machine" in told
    assert "not available" in porter("env", "list", python="3.99")[1]


def test_an_interpreter_that_does_not_work_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "python9"
    broken.write_text("#!/bin/sh\necho 'broken: command not found' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(Missing, match=f"{broken}: does not work: broken: command not found"):
        find_interpreter(str(broken))
