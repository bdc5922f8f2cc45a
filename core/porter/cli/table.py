"""Tables on stdout: drawn on a terminal, plain columns elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from porter.errors import one_line

GAP = "  "


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table; what a cell holds is text of unknown origin."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        draw(columns, cells)
        return
    for line in plain_lines(columns, cells):
        click.echo(line)


def plain_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The table as lines with columns of spaces."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    return [
        GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]


def draw(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The table as a terminal shows it. Cells are text, never markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
