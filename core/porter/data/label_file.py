"""Label files as people have them: tables, JSON and lists, each as lines of a name and a label."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from porter.data.label_json import is_json, pairs_of, parse
from porter.data.layouts import Layout, layout_of
from porter.errors import BadInput, one_line
from porter.files.textfile import entries, read_text, require_few_values

SAMPLE = 50
"""Lines that say how a table is laid out."""


class LabelLine(NamedTuple):
    """One label of a file."""

    name: str
    """As the file spells it: a path relative to the data folder, or less of it; empty where labels stand alone."""
    label: str
    """As the file gives it: a number, a WordNet id or a name of a class."""
    line: int
    """Number of the line, or of the entry of a JSON file, from 1."""


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """A label file as read. Lines are parted anew each time: a list of all would take many times the file."""

    path: Path
    sha256: str
    read: Callable[[], Iterator[LabelLine]]
    """All lines, in order. Raises `BadInput`, naming file and line, at one that does not fit."""
    alone: bool = False
    """Whether labels stand alone, without names."""
    unit: str = "line"
    """What `LabelLine.line` counts."""

    def at(self, line: int) -> str:
        """The file and the line, for messages."""
        return f"{one_line(self.path)}, {self.unit} {line}"


def read_label_file(path: Path) -> LabelFile:
    """Read a label file: UTF-8, with or without a byte-order mark.

    It is one of: lines `NAME label`; a table parted by tabs, commas or semicolons, whose first line may name the
    columns; JSON or JSON lines; one label a line. Blank lines are passed over, and lines that begin with `# `.

    Raises `BadInput`, naming the file and the line, for a line without a name or a label, and a file that cannot be
    read or holds no label.
    """
    file = read_text(path, "label file")
    if is_json(file.text):
        return _json(path, file.text, file.sha256)
    sample = [line for _, line in islice(entries(file.text, one_line(path)), SAMPLE)]
    if not sample:
        raise BadInput(f"{one_line(path)}: no labels, only blank lines and comments")
    try:
        layout = layout_of(sample)
    except BadInput as error:
        raise BadInput(f"{one_line(path)}: {error}") from None
    found = LabelFile(path=path, sha256=file.sha256, read=lambda: _lines(path, file.text, layout), alone=layout.alone)
    if next(found.read(), None) is None:
        raise BadInput(f"{one_line(path)}: no labels, only a header line")
    return found


def _lines(path: Path, text: str, layout: Layout) -> Iterator[LabelLine]:
    for number, line in islice(entries(text, one_line(path)), int(layout.header), None):
        try:
            name, label = layout.split(line)
        except ValueError as error:
            raise BadInput(f"{one_line(path)}, line {number}: {error}") from None
        if not label or not (name or layout.alone):
            raise BadInput(
                f"{one_line(path)}, line {number}: expected `NAME label` or `NAME,label`, found {one_line(line[:80])!r}"
            )
        yield LabelLine(name, label, number)


def _json(path: Path, text: str, sha256: str) -> LabelFile:
    require_few_values(text, one_line(path))
    try:
        pairs = list(pairs_of(parse(text)))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{one_line(path)}: cannot read labels from JSON: {one_line(error)[:200]}") from None
    if not pairs:
        raise BadInput(f"{one_line(path)}: no labels")
    alone = all(not name for name, _ in pairs)

    def read() -> Iterator[LabelLine]:
        for number, (name, label) in enumerate(pairs, 1):
            if not label or not (name or alone):
                raise BadInput(f"{one_line(path)}, entry {number}: a name and a label are needed")
            yield LabelLine(name, label, number)

    return LabelFile(path=path, sha256=sha256, read=read, alone=alone, unit="entry")
