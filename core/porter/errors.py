"""What can go wrong, and the exit code that says so.

Every error that a user can cause or mend is a `PorterError` whose text is one line: what is wrong, in which
file or key, and the way out. The command line prints that line and nothing else; any other exception is a bug.
"""

from __future__ import annotations

import difflib
import enum
import errno
from collections.abc import Iterable


class ExitCode(enum.IntEnum):
    """Exit codes of every `porter` command."""

    OK = 0
    """All verdicts pass."""
    VERDICT_FAILED = 1
    """A verdict fails; the documents are written and say so."""
    BAD_INPUT = 2
    """Bad input or usage."""
    MISSING = 3
    """Something that this machine lacks: a runtime, a compiler, an extra."""


class PorterError(Exception):
    """An error that the user can mend. The text is a single line."""

    exit_code = ExitCode.BAD_INPUT


class BadInput(PorterError):
    """A file, key or option is wrong (exit code 2)."""


class Missing(PorterError):
    """This machine lacks something (exit code 3); the text says how to get it."""

    exit_code = ExitCode.MISSING


class PluginError(PorterError):
    """A plugin raised what it should not, or answered with the wrong kind (exit code 2)."""


class TargetFailed(PorterError):
    """A runtime died, hung or broke: its target is not delivered, and the others are (exit code 1)."""

    exit_code = ExitCode.VERDICT_FAILED


class ImageError(PorterError):
    """One image cannot be read completely. It counts as wrong, and the run continues.

    Attributes:
        reason: The reason without the image's name, as a message that documents translate.
    """

    def __init__(self, text: object, reason: object = None) -> None:
        super().__init__(str(text))
        self.reason = text if reason is None else reason


def is_full_disk(error: BaseException) -> bool:
    """Whether `error` says that no room is left: of the machine, whoever was writing. It passes through as it is."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def one_line(text: object) -> str:
    """`text` on one line, with control characters made visible, so that no input can forge terminal output."""
    folded = " ".join(str(text).split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in folded)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`". Did you mean 'x'?"` for the nearest known name, or an empty string where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f". Did you mean {near[0]!r}?" if near else ""
