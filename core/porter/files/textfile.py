"""Small UTF-8 text files: label files and class maps that a user writes by hand, and JSON that tools write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from porter.errors import BadInput, one_line

T = TypeVar("T")

MAX_BYTES = 256 * 1024 * 1024
"""Larger files are refused unread: the labels of ImageNet's whole training set take 40 MB."""

_BLANKS = " \t"


@dataclass(frozen=True)
class TextFile:
    """The text of a file, and the digest of its bytes."""

    text: str
    sha256: str
    """64 hex digits, of the bytes as they lie on disk."""


def read_text(path: Path, what: str) -> TextFile:
    """Read `path` as UTF-8, with or without a byte-order mark; `what` names the file's purpose in messages.

    Raises `BadInput` where it is missing, no regular file, empty, larger than `MAX_BYTES` or not UTF-8.
    """
    shown = one_line(path)
    try:
        if path.is_dir():
            raise BadInput(f"{shown}: a folder; the {what} must be a file")
        if path.exists() and not path.is_file():
            raise BadInput(f"{shown}: not a regular file; the {what} must be one")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{shown}: larger than {MAX_BYTES} bytes; this cannot be a {what}")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{shown}: no such file; the {what} cannot be read") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{shown}: the {what} cannot be read: {one_line(error)}") from None
    if not data.strip():
        raise BadInput(f"{shown}: the {what} is empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{shown}: the {what} is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{shown}, line {line}: not UTF-8; save the {what} as UTF-8{_chinese(data)}") from None
    return TextFile(text, hashlib.sha256(data).hexdigest())


def _chinese(data: bytes) -> str:
    """The command that helps where bytes may be GBK; it is never guessed, since most bytes would do."""
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    return ", from GBK with `iconv -f GB18030 -t UTF-8 FILE > NEW`"


def read_json(path: Path, what: str, kind: type[T]) -> T:
    """Read a JSON file as `kind`. Raises `BadInput` where `read_text` does, and where it is something else."""
    try:
        return msgspec.json.decode(read_text(path, what).text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise BadInput(f"{one_line(path)}: no {what}: {one_line(error)[:200]}") from None


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """Number (from 1) and content of each line of a text file that is neither blank nor a comment; see `entries`.

    `what` names the file's purpose in messages. Raises `BadInput` where `read_text` does.
    """
    return list(entries(read_text(path, what).text))


def read_named_lines(path: Path, what: str) -> list[tuple[int, str, str]]:
    """Number (from 1), name and value of each line `NAME VALUE` of a text file; a name may hold blanks.

    Raises `BadInput` where `read_text` does, and for a line without a name or a value, naming file and line.
    """
    found = []
    for number, line in read_lines(path, what):
        name, value = split_last(line)
        if not name:
            raise BadInput(f"{one_line(path)}, line {number}: {line[:80]!r} is not `NAME VALUE` with a blank between")
        found.append((number, name, value))
    return found


def entries(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and stripped content of each line that is neither blank nor a comment.

    A comment is a line whose first character is `#` followed by a blank, another `#`, or nothing, so that a file named
    `#1.jpg` can still have a label. Lines end with LF, CRLF or CR; only space and tab are blanks, since names may hold
    any other character. A line at a time: a list of all would take several times the file.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    number, start = 0, 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip(_BLANKS)
        number, start = number + 1, end + 1
        if line and not _is_comment(line):
            yield number, line


def split_last(line: str) -> tuple[str, str]:
    """Name and value of a stripped line, parted at its last run of blanks; the name is empty where there is none."""
    cut = max(line.rfind(" "), line.rfind("\t"))
    return line[: cut + 1].rstrip(_BLANKS), line[cut + 1 :]


def _is_comment(line: str) -> bool:
    return line.startswith("#") and (len(line) == 1 or line[1] in " \t#")
