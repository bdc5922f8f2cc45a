"""porter as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def porter(environment: dict[str, str], *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """porter with these arguments in the folder `cwd`."""
    command = [sys.executable, "-m", "porter.cli.main", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
