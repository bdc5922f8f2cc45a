"""Text of unknown origin on its way to a terminal, a shell or a spreadsheet: the only way that porter's output takes.

`say` and `say_json` print; `shell_word` and `shell_line` quote for scripts and commands; `cell` is for tables.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001 - a spreadsheet takes these as well
_WORD = r"(?:[\w@%+=:,./-]|'[^'\n]*'|\"'\"|\"\$\(printf '[\\0-7]+'\)\")+"
_redirecting = threading.RLock()
_COMMAND = re.compile(rf"porter(?: {_WORD})*", re.ASCII)


def visible(text: object) -> str:
    """The text with every character that does not show written as an escape: controls, direction marks, line feeds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in str(text))


def say(*lines: object, error: bool = False) -> None:
    """Print each of `lines` on one line of stdout, or of stderr."""
    to = sys.stderr if error else sys.stdout
    for line in lines:
        to.write(f"{visible(line)}\n")  # at once: several threads may print
    to.flush()


@contextmanager
def stdout_to(stream: TextIO) -> Iterator[None]:
    """Have what libraries print go to `stream`. One thread at a time does: two that put stdout back in another order
    than they found it would leave it changed."""
    with _redirecting, redirect_stdout(stream):
        yield


def say_json(value: object) -> None:
    """Print a value as JSON on one line."""
    import msgspec

    say(re.sub(r"[^ -~]", _escaped, msgspec.json.encode(value).decode()))


def shell_word(text: str) -> str:
    """The text as one word of a POSIX shell; what does not show is written in octal, for printf to make."""
    if text.isprintable():
        return shlex.quote(text)
    shown = ""
    for shows, part in itertools.groupby(text, key=lambda c: c == "\n" or c.isprintable()):
        piece = "".join(part)
        octal = "".join(f"\\{byte:03o}" for byte in piece.encode("utf-8", "surrogateescape"))
        shown += shlex.quote(piece) if shows else f"\"$(printf '{octal}')\""
    return shown


def shell_line(words: Iterable[str]) -> str:
    """A command line of such words."""
    return " ".join(map(shell_word, words))


def is_command(text: str) -> bool:
    """Whether a text is one command line of porter and nothing else, each word quoted as `shell_line` does."""
    return _COMMAND.fullmatch(text) is not None


def cell(text: str) -> str:
    """The text as a cell of a table that a spreadsheet opens: nothing hidden, and no formula unless it is a number."""
    shown = visible(text)
    if not text.startswith(FORMULA):
        return shown
    try:
        float(text)
    except ValueError:
        return f"'{shown}"
    return shown


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1]
