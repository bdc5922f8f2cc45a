"""Interpreters on this machine: found by version, name or path, and asked what they are."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from porter.errors import Missing, one_line
from porter.worker.process import environment_of

ASK_SECONDS = 60.0
QUESTION = """
import json, platform, sys
name = platform.python_implementation()
version = platform.python_version() if name == "CPython" else name + " " + platform.python_version()
system = platform.system() + " " + platform.machine()
print(json.dumps({"path": sys.executable, "version": version, "platform": system}))
"""
PACKAGES = """
import importlib.metadata as metadata, json
found = {str(one.metadata["Name"]).lower().replace("_", "-"): one.version for one in metadata.distributions()}
print(json.dumps(sorted(name + "==" + version for name, version in found.items())))
"""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that can be started."""

    path: Path
    """The program."""
    version: str
    """Its version, with its implementation where it is not CPython."""
    platform: str
    """System and processor."""


@functools.cache
def find_interpreter(named: str) -> Interpreter:
    """The interpreter of that version (`3.10`), name on PATH, or path; empty: the one that runs this.

    Raises `Missing` where there is none, or it does not start.
    """
    if named in ("", f"{sys.version_info.major}.{sys.version_info.minor}"):
        named = sys.executable
    elif re.fullmatch(r"\d+(\.\d+)*", named):
        named = f"python{named}"
    found = shutil.which(named)
    if found is None:
        raise Missing(f"{one_line(named)}: no such Python on this machine. Install it, or put it on PATH")
    # Not resolved: a link in an environment's folder is how its Python knows where its packages are.
    path = Path(found).absolute()
    answer = ask(path, QUESTION)
    return Interpreter(path=Path(answer["path"]), version=answer["version"], platform=answer["platform"])


def packages_of(path: Path) -> tuple[str, ...]:
    """Every package that an interpreter can import, as NAME==VERSION in order."""
    return tuple(ask(path, PACKAGES))


def ask(path: Path, program: str) -> dict[str, str]:
    """What a small program prints as JSON in an interpreter. Raises `Missing` where it does not run."""
    try:
        done = subprocess.run(
            [str(path), "-I", "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=environment_of(path),
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{one_line(path)}: does not start: {one_line(error)}") from None
    if done.returncode:
        last = done.stderr.decode(errors="backslashreplace").strip().splitlines()[-1:]
        raise Missing(f"{one_line(path)}: does not work: {one_line(*last) if last else f'exit code {done.returncode}'}")
    answer: dict[str, str] = json.loads(done.stdout)
    return answer
