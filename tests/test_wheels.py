"""The wheels: built, installed into a fresh environment, and run from another folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECTS = [ROOT, *sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))]


def run(*command: object, cwd: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PORTER"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for project in PROJECTS:
        # A copy, so that building leaves nothing in the checkout and finds nothing stale there.
        copy = tmp_path_factory.mktemp("source") / project.name
        listed = run("git", "ls-files", "-co", "--exclude-standard", cwd=project).splitlines()
        for name in listed:
            if (project / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                (copy / name).write_bytes((project / name).read_bytes())
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, copy)
    return sorted(folder.glob("*.whl"))


def test_every_module_and_template_is_in_the_wheel(wheels: list[Path]) -> None:
    inside = {name for path in wheels for name in zipfile.ZipFile(path).namelist()}
    packages = [(path.parent, path.parent.name) for path in ROOT.glob("plugins/*/src/*/__init__.py")]
    for source, prefix in ((ROOT / "core/porter", "porter"), (ROOT / "templates", "porter/templates"), *packages):
        wanted = [p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc"]
        missing = [p for p in wanted if f"{prefix}/{p.relative_to(source).as_posix()}" not in inside]
        assert missing == []


def test_wheels_work_in_a_fresh_environment(wheels: list[Path], tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    # The dependencies are this environment's; a path line does not run its .pth files, so no editable install leaks.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", *wheels)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    where = run(python, "-c", "import porter; print(porter.__file__)", cwd=elsewhere)
    assert str(site) in where
    rows = json.loads(run(tmp_path / "venv/bin/porter", "plugins", "--json", cwd=elsewhere))
    by_name = {row["name"]: row for row in rows}
    assert {"classification", "defaults", "onnxruntime", "hrnet"} <= set(by_name)
    assert all(row["state"] == "active" for row in rows), rows
    assert by_name["hrnet"]["models"] == ["hrnet"]
    assert by_name["ascend"]["runtimes"] == ["ascend"]


def test_the_extra_of_a_runtime_brings_its_plugin(wheels: list[Path]) -> None:
    core, plugin = (
        zipfile.ZipFile(next(wheel for wheel in wheels if wheel.name.startswith(name)))
        for name in ("porter_core", "porter_openvino")
    )
    metadata = core.read(next(name for name in core.namelist() if name.endswith("/METADATA"))).decode()
    assert re.search(r"^Requires-Dist: porter-openvino\[engine\]; extra == .openvino.$", metadata, re.MULTILINE)
    assert "porter_openvino/templates/languages/zh.yaml" in plugin.namelist()
