"""Small UTF-8 text files: label files and class maps that a user writes by hand, and JSON that tools write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from porter.errors import BadInput, one_line
from porter.files.limits import COUNTS, limit_of, over, over_count
from porter.files.received import read_received

T = TypeVar("T")

_BLANKS = " \t"
LINES = "lines of a text file"
_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True)
class TextFile:
    """The text of a file, and the digest of its bytes."""

    text: str
    sha256: str
    """64 hex digits, of the bytes as they lie on disk."""


def read_text(path: Path, what: str) -> TextFile:
    """Read `path` as UTF-8, with or without a byte-order mark; `what` names the file's purpose in messages.

    Raises `BadInput` where it is missing, no regular file on disk, empty, not UTF-8, or beyond the limit of
    `porter.files.limits` for a file of that purpose.
    """
    shown = one_line(path)
    data = read_received(path, what)
    if not data.strip():
        raise BadInput(f"{shown}: the {what} is empty")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{shown}: the {what} is UTF-16. Save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{shown}, line {line}: not UTF-8. Save the {what} as UTF-8{_chinese(data)}") from None
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
    text = read_text(path, what).text
    require_few_values(text, one_line(path))
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise BadInput(f"{one_line(path)}: no {what}: {one_line(error)[:200]}") from None


def require_few_values(text: str | bytes, shown: str) -> None:
    """Raise `BadInput` where JSON holds too many values: each takes many times its two or three characters."""
    marks: tuple[Any, ...] = (",", "[", "{") if isinstance(text, str) else (b",", b"[", b"{")
    if sum(map(text.count, marks)) > COUNTS["values in a JSON file"]:
        raise BadInput(f"{shown}: too much in it; {over_count('values in a JSON file')}")


def read_lines(path: Path, what: str) -> list[tuple[int, str]]:
    """Number (from 1) and content of each line of a text file that is neither blank nor a comment; see `entries`.

    `what` names the file's purpose in messages. Raises `BadInput` where `read_text` does.
    """
    return few_entries(read_text(path, what).text, one_line(path))


def few_entries(text: str, shown: str) -> list[tuple[int, str]]:
    """All of `entries`. Raises `BadInput` where it does, and for more than the limit of a list."""
    what = "lines of a class map or list"
    found = list(islice(entries(text, shown), COUNTS[what] + 1))
    if len(found) > COUNTS[what]:
        raise BadInput(f"{shown}: too many lines; {over_count(what)}")
    return found


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


def entries(text: str, shown: str = "text") -> Iterator[tuple[int, str]]:
    """Number (from 1) and stripped content of each line that is neither blank nor a comment.

    A comment is a line whose first character is `#` followed by a blank, another `#`, or nothing, so that a file named
    `#1.jpg` can still have a label. Lines end with LF, CRLF or CR; only space and tab are blanks, since names may hold
    any other character. A line at a time: a list of all would take several times the file.

    Raises `BadInput`, naming the file as it is `shown`, at a line that is too long or one too many.
    """
    longest, start = limit_of("line of text"), 0
    for number, end in enumerate(chain(_END.finditer(text), (None,)), 1):
        stop = len(text) if end is None else end.start()
        if number > COUNTS[LINES]:
            raise BadInput(f"{shown}: too many lines; {over_count(LINES)}")
        if stop - start > longest:
            raise BadInput(f"{shown}, line {number}: {stop - start} characters; {over('line of text')}")
        line = text[start:stop].strip(_BLANKS)
        start = stop if end is None else end.end()
        if line and not _is_comment(line):
            yield number, line


def split_last(line: str) -> tuple[str, str]:
    """Name and value of a stripped line, parted at its last run of blanks; the name is empty where there is none."""
    cut = max(line.rfind(" "), line.rfind("\t"))
    return line[: cut + 1].rstrip(_BLANKS), line[cut + 1 :]


def _is_comment(line: str) -> bool:
    return line.startswith("#") and (len(line) == 1 or line[1] in " \t#")
