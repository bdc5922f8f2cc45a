"""README.md: its commands, typed one after another, print what it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pages import DOCS, blocks, commands, explain

ROOT = DOCS.parent
FAILING = ("porter diagnose run failing", "porter compare delivery failing")


def test_every_command_prints_what_is_shown(tmp_path: Path) -> None:
    (tmp_path / "plugins").symlink_to(ROOT / "plugins")
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shown = [one for block in blocks(ROOT / "README.md") if block.language == "console" for one in commands(block)]
    assert len(shown) >= 9 and set(FAILING) <= {command for command, _ in shown}
    for command, output in shown:
        line = ["sh", "-c", command]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == int(command in FAILING or command.endswith("--out failing")), done.stderr
        assert not explain(output, done.stdout.splitlines()), command
