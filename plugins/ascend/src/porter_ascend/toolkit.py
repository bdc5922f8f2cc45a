"""CANN on this machine: the script that sets its environment, and what can be run in that environment."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from porter import BadInput, Missing, one_line

SCRIPT_VARIABLE = "PORTER_ASCEND_ENV"
"""Environment variable that names the script, where it lies elsewhere."""
BENCHMARK_VARIABLE = "PORTER_ASCEND_BENCHMARK"
"""Environment variable that names the older `benchmark` tool, where it is not on PATH."""
HOMES = ("ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH")
"""Variables of CANN's own that name its folder, which is the script's or lies below it."""
PLACES = ("/usr/local/Ascend/ascend-toolkit/set_env.sh", "~/Ascend/ascend-toolkit/set_env.sh")
"""Where the installer puts the script, for root and for another user."""
INSTALL = (
    "install CANN (https://www.hiascend.com/software/cann) and ais_bench on a machine with the chip, "
    f"or set its environment script in {SCRIPT_VARIABLE}"
)
_AIS_BENCH = (
    "import sys, os; sys.path[:] = [p for p in sys.path if p not in ('', os.getcwd())]; import importlib.util; "
    "sys.exit(importlib.util.find_spec('ais_bench') is None)"
)
"""Looks for the package, and not in the working folder."""
_SECONDS = 60


def environment_script(environment: Mapping[str, str] | None = None) -> Path | None:
    """CANN's `set_env.sh`: the one that is named, or the first of the usual places; None where there is none.

    Raises `BadInput` where the variable names a file that is not there.
    """
    variables = os.environ if environment is None else environment
    if named := variables.get(SCRIPT_VARIABLE):
        path = Path(named).expanduser()
        if not path.is_file():
            raise BadInput(f"{SCRIPT_VARIABLE}={one_line(named)}: no such file. Set it to CANN's set_env.sh")
        return path
    homes = [Path(variables[name]) for name in HOMES if variables.get(name)]
    candidates = [folder / "set_env.sh" for home in homes for folder in (home, home.parent)]
    home = variables.get("HOME", "~")
    candidates += [Path(place.replace("~", home, 1)) for place in PLACES]
    return next((path for path in candidates if path.is_file()), None)


@dataclass(frozen=True, kw_only=True)
class Toolkit:
    """How to run CANN's tools."""

    script: Path | None
    """Sourced before each command; None: the tools are on PATH already."""

    @classmethod
    def find(cls) -> Toolkit:
        """The toolkit of this machine. A set environment, in which `atc` is on PATH, is taken as it is."""
        named = os.environ.get(SCRIPT_VARIABLE)
        return cls(script=None if shutil.which("atc") and not named else environment_script())

    def command(self, arguments: Sequence[str]) -> list[str]:
        """The command line that runs `arguments` in CANN's environment. Its script is written for bash."""
        if self.script is None:
            return list(arguments)
        shell = shutil.which("bash") or "sh"
        return [shell, "-c", '. "$1" >/dev/null && shift && exec "$@"', shell, str(self.script), *arguments]

    def run(self, arguments: Sequence[str], log: Path, cwd: Path | None = None) -> int:
        """Run to the end with everything that it prints in `log`; returns the exit status.

        The first line of the log is the command. Raises `Missing` where the tool cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)  # another name of the file, by a hard link, keeps what it had
        with log.open("xb") as stream:
            stream.write(f"$ {' '.join(map(one_line, arguments))}\n".encode())
            stream.flush()
            try:
                done = subprocess.run(
                    self.command(arguments), stdout=stream, stderr=subprocess.STDOUT, cwd=cwd, check=False
                )
            except OSError as error:
                raise Missing(f"{arguments[0]} cannot be started ({error.strerror}): {INSTALL}") from None
        return done.returncode

    def has(self, arguments: Sequence[str]) -> bool:
        """Whether a command ends with status 0."""
        try:
            done = subprocess.run(self.command(arguments), capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def has_atc(self) -> bool:
        """Whether atc can be found."""
        if self.script is None:
            return shutil.which("atc") is not None
        return self.has(["sh", "-c", "command -v atc"])

    def has_ais_bench(self) -> bool:
        """Whether the `python3` of this environment has the package ais_bench."""
        if self.script is None and shutil.which("python3") is None:
            return False
        return self.has(["python3", "-c", _AIS_BENCH])

    def version(self) -> str:
        """CANN's version, from the file that its installer leaves; empty where that is not found."""
        script, homes = self.script, [Path(os.environ[name]) for name in HOMES if os.environ.get(name)]
        folders = [*homes, *([script.parent / "latest", script.parent] if script else [])]
        for folder in folders:
            for name in ("version.cfg", "ascend_toolkit_install.info", "compiler/version.info"):
                if version := _version_in(folder / name):
                    return version
        return ""


def benchmark_tool() -> str | None:
    """The older tool `benchmark.x86_64` or `benchmark.aarch64`: the one that is named, or on PATH; None: neither."""
    if named := os.environ.get(BENCHMARK_VARIABLE):
        return str(Path(named).absolute()) if Path(named).is_file() else None
    return shutil.which(f"benchmark.{platform.machine()}")


def _version_in(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")[:10_000]
    except OSError:
        return ""
    found = re.search(r"(?im)^\s*(?:version|toolkit_installed_version)\s*=\s*\[?(?:[\d.:]*:)?([\w.-]+)", text)
    return found[1] if found else ""
