"""Packages into an environment of their own: by uv where it is on PATH, else by venv and pip."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from porter.errors import one_line
from porter.files.textfile import read_text
from porter.worker.interpreter import Interpreter
from porter.worker.process import environment_of

ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_PYTHON", "PIP_REQUIREMENT", "PIP_EDITABLE")
"""What would have pip install somewhere else, or something more."""
LIMIT_SECONDS = 7200.0
SHOWN_LINES, SHOWN_CHARACTERS = 3, 400


class InstallFailed(Exception):
    """An environment could not be filled; the text is the end of what the tool printed."""


def python_in(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin/python"


def commands(folder: Path, interpreter: Interpreter, requirements: Path) -> tuple[tuple[str, ...], ...]:
    """What makes and fills an environment. Wheels only: building a source package runs its code."""
    uv, python = shutil.which("uv"), str(python_in(folder))
    hashes = ("--require-hashes",) if "--hash=" in read_text(requirements, "file of requirements").text else ()
    wanted = ("--only-binary", ":all:", *hashes, "--requirement", str(requirements))
    if uv is not None:
        make = (uv, "venv", "--no-config", "--python", str(interpreter.path), str(folder))
        return make, (uv, "pip", "install", "--python", python, *wanted)
    pip = (python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off")
    return (str(interpreter.path), "-I", "-m", "venv", str(folder)), (*pip, *wanted)


def install(folder: Path, interpreter: Interpreter, requirements: Path, log: Path) -> None:
    """Make an environment in `folder`, which is not there, and write what the tools print to `log`.

    Raises `InstallFailed` with the end of it.
    """
    environment = environment_of(interpreter.path)
    environment = {name: value for name, value in environment.items() if name not in ELSEWHERE}
    with log.open("wb") as stream:
        for command in commands(folder, interpreter, requirements.absolute()):
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    cwd=log.parent,
                    env=environment,
                    timeout=LIMIT_SECONDS,
                    check=False,
                ).returncode
            except OSError as error:
                raise InstallFailed(f"{command[0]}: {error.strerror or error}") from None
            except subprocess.TimeoutExpired:
                raise InstallFailed(f"not done in {LIMIT_SECONDS:.0f} s; {_end(log)}") from None
            if code:
                raise InstallFailed(_end(log) or f"{command[0]}: exit code {code}")


def _end(log: Path) -> str:
    """The last lines on one line, without pip's advice to upgrade itself."""
    lines = log.read_bytes()[-(1 << 16) :].decode(errors="backslashreplace").splitlines()
    told = [line.strip() for line in lines if line.strip() and not line.startswith(("[notice]", "WARNING:"))]
    return one_line(" / ".join(told[-SHOWN_LINES:]))[-SHOWN_CHARACTERS:]


def size_of(folder: Path) -> int:
    """Bytes of everything below a folder, links not followed."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            total += Path(place, name).lstat().st_size
    return total
