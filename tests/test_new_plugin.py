"""`porter new plugin`: what it writes works as it stands, and nothing is left where it stops."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fresh import Environment, core_wheel

from porter.cli.main import main
from porter.cli.new_command import LONGEST, render_project, require_free, write_project
from porter.errors import BadInput, PluginError

LONG = "a" * LONGEST


def test_the_project_works_in_a_fresh_environment(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    environment = Environment(tmp_path / "venv", core_wheel(tmp_path_factory))
    printed = environment.run("porter new plugin coloured-squares", tmp_path)
    assert printed.startswith("coloured-squares: a plugin that works as it stands.")
    commands = [line.strip() for line in printed.splitlines()[1:]]
    environment.run(commands[0], tmp_path)

    rows = {row["name"]: row for row in json.loads(environment.run("porter plugins --json", tmp_path))}
    assert rows["coloured-squares"]["state"] == "active"
    assert rows["coloured-squares"]["models"] == ["coloured-squares"]
    assert "hrnet" not in rows

    quick = "--batch-sizes 2 --bench-seconds 0 --json"
    result = json.loads(environment.run(f"{commands[1]} {quick}", tmp_path))
    assert result["verdicts"] == dict.fromkeys(("weights", "parity", "preprocessing", "accuracy"), "pass")
    assert {accuracy["top1"] for accuracy in result["accuracy"].values()} == {100.0}
    assert "# Coloured squares" in (tmp_path / result["out"] / "README.md").read_text()

    assert "2 passed" in environment.run(commands[2], tmp_path)
    places = environment.run(commands[3], tmp_path)
    for name in ("plugin.py", "network.py", "make_sample.py", "test_conformance.py", "pyproject.toml"):
        assert name in places
    taken = environment.run("porter new plugin coloured-squares --into other 2>&1", tmp_path, exit_code=2)
    assert "the plugin 'coloured-squares' offers a model of this name" in taken


@pytest.mark.parametrize("name", ["a", "tiny-net-2", LONG])
def test_the_project_is_clean(tmp_path: Path, name: str) -> None:
    pytest.importorskip("ruff")
    for path, text in render_project(name).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for command in (["check"], ["format", "--diff"]):
        for config in ([], ["--isolated"]):  # the project's own, and ruff's defaults where an author drops that
            arguments = [*command, *config, "--no-cache", "."]
            subprocess.run([sys.executable, "-m", "ruff", *arguments], cwd=tmp_path, check=True)


def test_the_folder_is_open_to_others_and_holds_no_leavings(tmp_path: Path) -> None:
    write_project("tiny-net", tmp_path / "somewhere else")
    assert [path.name for path in tmp_path.iterdir()] == ["somewhere else"]
    assert (tmp_path / "somewhere else").stat().st_mode & 0o777 == tmp_path.stat().st_mode & 0o777 | 0o755
    assert list(tmp_path.rglob("__pycache__")) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "must be lower-case letters and digits"),
        ("Tiny_Net", "try tiny-net"),
        ("tiny--net", "try tiny-net"),
        ("-net", "try net"),
        ("../net", "try net"),
        ("netz\n", "try netz"),
        ("ñandú", "try and"),
        ("图", "no longer than 40 characters"),
        (LONG + "a", f"try {LONG}"),
        ("onnxruntime", "a plugin of this name is installed"),
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
        tmp_path: "is there already",
        tmp_path / "file": "is there already",
        tmp_path / "link": "is there already",
        tmp_path / "no/where": "No such file or directory",
        tmp_path / "file/net": "Not a directory",
    }.items():
        with pytest.raises(BadInput, match=says):
            write_project("tiny-net", target)


def test_nothing_is_left_where_the_example_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, target = tmp_path / "broken", tmp_path / "target"
    broken.mkdir(), target.mkdir()
    (broken / "torch.py").write_text("raise OSError('libtorch.so: cannot be loaded')")
    monkeypatch.setenv("PYTHONPATH", str(broken))
    with pytest.raises(PluginError, match=r"make_sample\.py: OSError: libtorch\.so: cannot be loaded"):
        write_project("tiny-net", target / "tiny-net")
    assert list(target.iterdir()) == []


def test_without_a_name_the_command_line_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["new"], ["new", "plugin"], ["new", "plugn"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "Traceback" not in capsys.readouterr().err
