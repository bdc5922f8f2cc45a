"""A command on a terminal of its own, through `pty`."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass

COLUMNS = 120
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Shown:
    """How the command ended, and all that the terminal was sent."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """Without colours and moves of the cursor."""
        return _ESCAPE.sub("", self.raw).replace("\r\n", "\n")


def on_terminal(*arguments: str, **environment: str) -> Shown:
    """Run `porter ARGUMENTS`, stdout and stderr on one terminal."""
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    process = subprocess.Popen(
        [sys.executable, "-m", "porter", *arguments],
        env={**plain, "TERM": "xterm", "COLUMNS": str(COLUMNS), "LINES": "40", **environment},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    sent = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody has the other end any more
            break
        if not piece:
            break
        sent += piece
    os.close(ours)
    return Shown(process.wait(), sent.decode())
