"""Files that porter did not write in this run: opened only where they are regular files on disk, read up to a limit.

A pipe waits for a writer for ever, a device has no end, and reading a file of /proc or /sys can hang or do something.
"""

from __future__ import annotations

import errno
import functools
import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from porter.errors import BadInput, one_line
from porter.files.limits import in_words, limit_of, over

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
"""A pipe that was put in the file's place after the first look is opened at once, and seen."""
_MOUNTS = Path("/proc/self/mountinfo")
_PSEUDO = re.compile(
    "proc|sysfs|debugfs|tracefs|cgroup2?|configfs|securityfs|selinuxfs|smackfs|pstore|bpf|binfmt_misc|efivarfs|fusectl"
    "|devpts|mqueue|rpc_pipefs|nsfs"
)
"""File systems whose files are the kernel's answers."""


class TooLarge(OSError):
    """A file beyond its limit."""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file on disk for reading. Raises `OSError`, whose `strerror` is the reason, for anything else."""
    _require_on_disk(os.stat(path), path)  # noqa: PTH116 - before it is opened: that alone can start a device
    stream = os.fdopen(os.open(path, _FLAGS), "rb")
    try:
        _require_on_disk(os.fstat(stream.fileno()), path)
    except OSError:
        stream.close()
        raise
    return stream


def read_limited(path: Path, most: int) -> bytes:
    """The bytes of a regular file as it is now: what grows meanwhile is not read for ever.

    Raises `TooLarge` for more than `most` bytes, and what `open_regular` does.
    """
    with open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > most:
            raise TooLarge(errno.EFBIG, f"{size} bytes, more than the limit of {most}", str(path))
        return stream.read(size)


def read_received(path: Path, what: str) -> bytes:
    """The bytes of a file that a user gave or a folder holds; `what` names its kind, see `porter.files.limits`.

    Raises `BadInput`, naming file and kind, where it is missing, no regular file on disk, or beyond its limit.
    """
    try:
        return read_limited(path, limit_of(what))
    except (OSError, ValueError) as error:
        raise cannot_be_read(path, what, error) from None


def require_regular(path: Path, what: str) -> None:
    """Check a file that a library is to open by its name. Raises `BadInput` as `read_received` does."""
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
    except (OSError, ValueError) as error:
        raise cannot_be_read(path, what, error) from None
    if size > limit_of(what):
        raise BadInput(f"{one_line(path)}: {in_words(size)}; {over(what)}")


def is_regular(path: Path) -> bool:
    """Whether `path` is a regular file on disk, links followed."""
    try:
        _require_on_disk(path.stat(), path)
    except (OSError, ValueError):
        return False
    return True


def lines_of(stream: BinaryIO, what: str = "line of a journal or index") -> Iterator[bytes]:
    """Lines of a file with their ends. One beyond the limit comes in pieces, the first of them without an end."""
    longest = limit_of(what)
    while text := stream.readline(longest):
        yield text


def cannot_be_read(path: Path, what: str, error: Exception) -> BadInput:
    """The error to raise where `read_limited` or `open_regular` raised this one."""
    shown = one_line(path)
    if isinstance(error, TooLarge):
        return BadInput(f"{shown}: {in_words(path.stat().st_size)}; {over(what)}")
    if isinstance(error, FileNotFoundError):
        return BadInput(f"{shown}: no such file; the {what} cannot be read")
    if isinstance(error, IsADirectoryError):
        return BadInput(f"{shown}: a folder; the {what} must be a file")
    if isinstance(error, OSError) and error.errno == errno.EINVAL:
        return BadInput(f"{shown}: {error.strerror}; the {what} must be one")
    return BadInput(f"{shown}: cannot be read: {one_line(getattr(error, 'strerror', None) or error)}")


def _require_on_disk(status: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a folder", str(path))
    if not stat.S_ISREG(status.st_mode) or status.st_dev in _pseudo_devices():
        raise OSError(errno.EINVAL, "not a regular file; the path of the file itself is needed", str(path))


@functools.cache
def _pseudo_devices() -> frozenset[int]:
    """Numbers of the devices of all mounted `_PSEUDO`."""
    found = set()
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux, which alone has them
        return frozenset()
    for line in lines:
        before, _, after = line.partition(" - ")
        if _PSEUDO.fullmatch(after.split(" ")[0]):
            major, minor = before.split(" ")[2].split(":")
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
