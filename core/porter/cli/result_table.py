"""The results table on stdout."""

from __future__ import annotations

import shutil
from dataclasses import replace

from porter.cli.table import is_terminal, show_table
from porter.documents.grid import Cell
from porter.documents.languages import say_from
from porter.documents.markdown import num
from porter.documents.page import Page
from porter.documents.results import Result, results
from porter.documents.tables import Tables
from porter.records.record import RunRecord

PASS, FAIL = "pass", "fail"


WIDE = 160
"""Columns of a terminal from which intervals fit into the table."""


def show_results(record: RunRecord) -> None:
    """Print the table; nothing where the record has no row."""
    titles, cells = result_cells(record, narrow=is_terminal() and shutil.get_terminal_size().columns < WIDE)
    if cells:
        show_table(titles, cells, [_style(row) for row in results(record)])


def result_cells(record: RunRecord, *, narrow: bool = False) -> tuple[list[str], list[list[str]]]:
    """The headings and the rows; `narrow` ones have no intervals."""
    found = Tables(record, Page(record)).results()
    cells = [[_shown(replace(cell, interval=None) if narrow else cell) for cell in line.cells] for line in found.lines]
    return [say_from({}, column.title) for column in found.columns], cells


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
