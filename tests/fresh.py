"""A fresh environment: core's wheel installed among this environment's third-party packages, and no plugin."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_LINKED = ("porter", "__editable__", "_virtualenv", "distutils-precedence")
"""What begins so in site-packages is an installed porter, or belongs to the environment itself."""


class Environment:
    """A virtual environment, and commands in it as a user would type them."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.bin = folder / "bin"
        site = Path(self.run("python -c 'import sysconfig; print(sysconfig.get_path(\"purelib\"))'", folder).strip())
        for path in Path(sysconfig.get_path("purelib")).iterdir():
            if not path.name.startswith(NOT_LINKED) and not (site / path.name).exists():
                (site / path.name).symlink_to(path)
        pip = self.bin / "pip"  # the linked package has no script of its own
        pip.write_text('#!/bin/sh\nexec python -m pip "$@"\n')
        pip.chmod(0o755)
        self.run(f"pip install '{wheel}'", folder)

    def run(self, command: str, folder: Path, *, exit_code: int = 0) -> str:
        """Run a shell command in `folder`; returns what it printed on stdout. Nothing is fetched from an index."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PORTER", "PIP"))}
        # pip reads 0 as "no isolation": https://pip.pypa.io/en/stable/topics/configuration/#boolean-options
        pip = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_QUIET": "1"}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**kept, **pip, "PATH": f"{self.bin}{os.pathsep}{kept['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout


def core_wheel(factory: pytest.TempPathFactory) -> Path:
    """The wheel of porter-core, built once a session from a copy, so that building leaves nothing in the checkout."""
    folder = factory.getbasetemp() / "core-wheel"
    if not folder.exists():
        source = factory.mktemp("source")
        for name in ("core", "templates"):
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, source)
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder]
        subprocess.run([sys.executable, "-m", "pip", "wheel", *options, source], check=True)
    return next(folder.glob("porter_core-*.whl"))
