"""One entry of the corpus, and the command line run in this process."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from porter.cli.main import main

Content = str | bytes | Callable[[Path], object]
"""What a file holds, or a function that makes the file at a path."""

CANARY = "canary"
"""Name of the file that hostile inputs try to make. Nothing may make it."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A command in a folder of good inputs (`corpus.good`), of which `files` replaces or adds some."""

    name: str
    command: str
    says: str
    """Regular expression found in the one error line, or in what is printed where the command ends well."""
    files: Mapping[str, Content] = field(default_factory=dict)
    code: int = 2
    leaves: tuple[str, ...] = ()
    """What must lie in `out` afterwards, where the command rightly got as far as that; none: it must be as it was."""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error line; it must be the only one, and the last."""
        lines = self.err.splitlines()
        found = [line for line in lines if line.startswith("porter: error: ")]
        assert len(found) == 1 and lines[-1] == found[0], self.err
        return found[0]


def write(folder: Path, files: Mapping[str, Content]) -> None:
    """Put files into a folder, in place of what is there under their names."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink() or path.is_file():
            path.unlink()
        if isinstance(content, str | bytes):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            content(path)


def porter(command: str, read: Callable[[], tuple[str, str]]) -> Ended:
    """Run `porter COMMAND` in this process; `read` gives what was printed since its last call (`capfd.readouterr`)."""
    arguments = shlex.split(command)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    argv, sys.argv = sys.argv, ["porter", *arguments]
    read()
    try:
        main(arguments)
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = argv
        for number, handler in before.items():
            signal.signal(number, handler)
    assert isinstance(code, int)
    return Ended(int(code), *read())
