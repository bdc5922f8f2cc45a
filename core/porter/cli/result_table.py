"""The results table on stdout."""

from __future__ import annotations

from porter.cli.table import show_table
from porter.documents.grid import Cell, Grid
from porter.documents.languages import say_from
from porter.documents.markdown import num
from porter.documents.page import Page
from porter.documents.results import Result, results
from porter.documents.tables import Tables
from porter.records.record import RunRecord

PASS, FAIL = "pass", "fail"


def show_results(record: RunRecord) -> None:
    """Print the table; nothing where the record has no row."""
    found = Tables(record, Page(record)).results()
    if found.lines:
        show_table(titles(found), cells(found), [_style(row) for row in results(record)])


def titles(found: Grid) -> list[str]:
    """The headings as a terminal shows them."""
    return [say_from({}, column.title) for column in found.columns]


def cells(found: Grid) -> list[list[str]]:
    """The rows as a terminal shows them."""
    return [[_shown(cell) for cell in line.cells] for line in found.lines]


def _shown(cell: Cell) -> str:
    parts = [] if cell.passed is None else [PASS if cell.passed else FAIL]
    text = say_from({}, cell.text)
    shown = ": ".join([*parts, text] if text else parts)
    if cell.interval is None:
        return shown
    return f"{shown} [{num(cell.interval.low)}, {num(cell.interval.high)}]"


def _style(row: Result) -> str:
    style = "" if row.passed is None else "green" if row.passed else "red"
    return f"bold {style}" if row.chosen else style
