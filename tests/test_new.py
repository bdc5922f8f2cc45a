"""`porter new plugin|runtime|task`: what each writes works as it stands, and nothing is left where it stops."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fresh import ROOT, Environment, core_wheel

from porter.cli.main import main
from porter.cli.new_command import LONGEST, PLUGIN, RUNTIME, TASK, Kind, render_project, require_free, write_project
from porter.errors import BadInput, PluginError
from porter.hosting.made_for import misfit

LONG = "a" * LONGEST


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One for the three kinds, each of whose projects is installed beside those before it."""
    return Environment(tmp_path_factory.mktemp("environment") / "venv", core_wheel(tmp_path_factory))


def test_the_project_works_in_a_fresh_environment(environment: Environment, tmp_path: Path) -> None:
    printed = environment.run("porter new plugin coloured-squares", tmp_path)
    assert printed.startswith("coloured-squares: a plugin that works as it is.")
    commands = [line.strip() for line in printed.splitlines()[1:]]
    environment.run(commands[0], tmp_path)

    rows = {row["name"]: row for row in json.loads(environment.run("porter plugins --json", tmp_path))}
    assert rows["coloured-squares"]["state"] == "active"
    assert rows["coloured-squares"]["models"] == ["coloured-squares"]
    assert "hrnet" not in rows

    quick = "--batch-sizes 2 --bench-seconds 0 --json"
    result = json.loads(environment.run(f"{commands[1]} {quick}", tmp_path))
    assert result["verdicts"] == dict.fromkeys(("weights", "parity", "preprocessing", "data", "accuracy"), "pass")
    assert {accuracy["top1"] for accuracy in result["accuracy"].values()} == {100.0}
    assert "# Coloured squares" in (tmp_path / result["out"] / "README.md").read_text()

    assert "2 passed" in environment.run(commands[2], tmp_path)
    places = environment.run(commands[3], tmp_path)
    for name in ("plugin.py", "network.py", "make_sample.py", "test_conformance.py", "pyproject.toml"):
        assert name in places
    taken = environment.run("porter new plugin coloured-squares --into other 2>&1", tmp_path, exit_code=2)
    assert "the plugin 'coloured-squares' offers a model of this name" in taken


def test_a_runtime_works_in_a_fresh_environment(environment: Environment, tmp_path: Path) -> None:
    printed = environment.run("porter new runtime slow-one", tmp_path)
    assert printed.startswith("slow-one: a runtime that works as it is.")
    commands = [line.strip() for line in printed.splitlines()[1:]]
    environment.run(commands[0], tmp_path)
    doctor = environment.run(commands[1], tmp_path)
    assert re.search(r"^slow-one +\S+ +\S+ +fp32", doctor, re.MULTILINE), doctor
    assert "5 passed" in environment.run(commands[2], tmp_path)
    places = environment.run(commands[3], tmp_path)
    assert all(name in places for name in ("runtime.py", "session.py", "probe.py", "pyproject.toml"))

    environment.run("porter new plugin squares && pip install -e squares", tmp_path)
    quick = "--batch-sizes 2 --bench-seconds 0 --json"
    own = "--runtime onnxruntime --runtime slow-one --option slow-one.rows=3"
    result = json.loads(environment.run(f"porter run squares {own} {quick}", tmp_path))
    assert set(result["verdicts"].values()) == {"pass"}
    assert result["accuracy"]["slow-one-fp32"]["top1"] == 100.0
    taken = environment.run("porter new task slow-one --into other 2>&1", tmp_path, exit_code=2)
    assert "the plugin 'slow-one' offers a runtime of this name" in taken


def test_a_task_works_in_a_fresh_environment(environment: Environment, tmp_path: Path) -> None:
    printed = environment.run("porter new task fair-classes", tmp_path)
    assert printed.startswith("fair-classes: a task that works as it is.")
    commands = [line.strip() for line in printed.splitlines()[1:]]
    environment.run(commands[0], tmp_path)
    rows = {row["name"]: row for row in json.loads(environment.run("porter plugins --json", tmp_path))}
    assert (rows["fair-classes"]["tasks"], rows["fair-classes"]["problems"]) == (["fair-classes"], [])
    assert "fair-classes" in environment.run(commands[1], tmp_path)
    assert "5 passed" in environment.run(commands[2], tmp_path)
    places = environment.run(commands[3], tmp_path)
    assert all(name in places for name in ("task.py", "scorer.py", "plugin.py", "test_conformance.py"))


def write_all(folder: Path, kind: Kind, name: str) -> None:
    for path, text in render_project(kind, name).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("kind", [PLUGIN, RUNTIME, TASK], ids=lambda kind: kind.name)
@pytest.mark.parametrize("name", ["a", "tiny-net-2", LONG])
def test_the_project_is_clean(tmp_path: Path, kind: Kind, name: str) -> None:
    pytest.importorskip("ruff")
    write_all(tmp_path, kind, name)
    for command in (["check"], ["format", "--diff"]):
        for config in ([], ["--isolated"]):  # the project's own, and ruff's defaults where an author drops that
            arguments = [*command, *config, "--no-cache", "."]
            subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=tmp_path, check=True)


def test_their_types_hold(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    kinds = {"one-net": PLUGIN, "one-runtime": RUNTIME, "one-task": TASK}
    for name, kind in kinds.items():
        write_all(tmp_path / name, kind, name)
    sources = [str(tmp_path / name / "src") for name in kinds]
    command = [sys.executable, "-m", "mypy", *sources]
    environment = {**os.environ, "MYPYPATH": os.pathsep.join(sources)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_are_made_for_this_porter() -> None:
    for kind in (PLUGIN, RUNTIME, TASK):
        project = tomllib.loads(render_project(kind, "tiny")["pyproject.toml"])["project"]
        assert any(re.fullmatch(r"porter-core(\[\w+\])?>=0\.1,<0\.2", one) for one in project["dependencies"])
        assert misfit(">=0.1,<0.2") == ""


def test_the_folder_is_open_to_others_and_holds_no_leavings(tmp_path: Path) -> None:
    write_project(PLUGIN, "tiny-net", tmp_path / "somewhere else")
    assert [path.name for path in tmp_path.iterdir()] == ["somewhere else"]
    assert (tmp_path / "somewhere else").stat().st_mode & 0o777 == tmp_path.stat().st_mode & 0o777 | 0o755
    assert list(tmp_path.rglob("__pycache__")) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "use lower-case letters and digits"),
        ("Tiny_Net", "Try tiny-net"),
        ("tiny--net", "Try tiny-net"),
        ("-net", "Try net"),
        ("../net", "Try net"),
        ("netz\n", "Try netz"),
        ("ñandú", "Try and"),
        ("图", "parts, at most 40 characters"),
        (LONG + "a", f"Try {LONG}"),
        ("onnxruntime", "the plugin .onnxruntime. offers a runtime of this name"),
        ("classification", "offers a task of this name"),
        ("defaults", "a plugin of this name is installed"),
        ("core", "the distribution porter-core is installed"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(name: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        require_free(name)
    assert "\n" not in str(caught.value)


def test_a_target_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target, says in {
        tmp_path: "exists already",
        tmp_path / "file": "exists already",
        tmp_path / "link": "exists already",
        tmp_path / "no/where": "No such file or directory",
        tmp_path / "file/net": "Not a directory",
    }.items():
        with pytest.raises(BadInput, match=says):
            write_project(PLUGIN, "tiny-net", target)


def test_nothing_is_left_where_the_example_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, target = tmp_path / "broken", tmp_path / "target"
    broken.mkdir(), target.mkdir()
    (broken / "torch.py").write_text("raise OSError('libtorch.so: cannot be loaded')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(PluginError, match=r"make_sample\.py: OSError: libtorch\.so: cannot be loaded"):
        write_project(PLUGIN, "tiny-net", target / "tiny-net")
    assert list(target.iterdir()) == []


def test_without_a_name_the_command_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["new"], ["new", "plugin"], ["new", "runtime"], ["new", "task"], ["new", "plugn"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "Traceback" not in capsys.readouterr().err
