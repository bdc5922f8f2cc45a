"""A table before it is written. README.md and report.html write the same one, each in its own markup and language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from porter.records.interval import Interval
from porter.records.message import Text, Value, number

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands in one place; figures are rounded already."""

    text: Value = ""
    """A tuple is shown as a list."""
    passed: bool | None = None
    """Goes before the text as pass or FAIL; None: neither."""
    interval: Interval | None = None
    """Goes behind a figure in brackets."""
    strong: bool = False
    """Whether it is what the table is read for."""


NOTHING = Cell(text="–")
"""Where there is no figure, in a table where that says enough."""
Found: TypeAlias = Cell | Value


@dataclass(frozen=True, kw_only=True)
class Column(Generic[Row]):
    """One column: its heading, and what it takes from what a row is about."""

    title: Text
    read: Callable[[Row], Found]
    """None and nothing at all become a dash."""
    form: str | None = None
    """How a figure is written: `.2f`, `.2e`, empty for a whole number; None: this is no column of numbers."""
    kind: Literal["word", "text", "code", "hash"] = "word"
    """Of what is no number: a word or two, text that wraps, or code."""
    strong: bool = False
    """Whether its cell stands out in the row that is best."""
    shown: Callable[[Sequence[Row]], bool] | None = None
    """Whether these rows make it worth showing. A column of dashes is never shown."""

    def cell(self, row: Row) -> Cell:
        """The cell of one row."""
        found = self.read(row)
        if isinstance(found, Cell):
            return found
        if found is None or found in ("", ()):
            return NOTHING
        if self.form is not None and isinstance(found, int | float):
            return Cell(text=number(found, self.form))
        return Cell(text=found)


@dataclass(frozen=True)
class Line:
    """One row."""

    cells: tuple[Cell, ...]
    best: bool = False


@dataclass(frozen=True)
class Grid:
    """A table: the columns that are shown, and its rows."""

    columns: tuple[Column[Any], ...]
    lines: tuple[Line, ...]


def grid(columns: Sequence[Column[Row]], rows: Sequence[Row], best: Callable[[Row], bool] = lambda row: False) -> Grid:
    """The table of these rows, without the columns that have nothing to show."""
    read = [
        (column, [column.cell(row) for row in rows]) for column in columns if not column.shown or column.shown(rows)
    ]
    kept = [(column, cells) for column, cells in read if any(cell != NOTHING for cell in cells)]
    lines = []
    for place, row in enumerate(rows):
        first = best(row)
        cells = (
            replace(cells[place], strong=True) if first and column.strong else cells[place] for column, cells in kept
        )
        lines.append(Line(tuple(cells), first))
    return Grid(tuple(column for column, _ in kept), tuple(lines))
