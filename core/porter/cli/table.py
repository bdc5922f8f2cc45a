"""Tables on stdout: drawn on a terminal, plain columns elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from porter.errors import one_line
from porter.files.outward import say

WIDE = 10**6
"""Columns of a line that is no terminal's: nothing there is wrapped or cut."""


def is_terminal(stream: Any = None) -> bool:
    """Whether a stream (stdout where none is given) shows drawings and colours, and its user wants them."""
    shown = sys.stdout if stream is None else stream
    return shown.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> None:
    """Print one table. Cells are text of unknown origin, never markup; `styles` are rich's, one a row."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = is_terminal()
    if drawn:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    else:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(Text(column), overflow="fold", no_wrap=not drawn)
    for number, row in enumerate(rows):
        style = styles[number] if styles else ""
        table.add_row(*(Text(one_line(cell), style=style) for cell in row))
    if drawn:
        Console().print(table)
        return
    console = Console(width=WIDE, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as lines:
        console.print(table)
    say(*(line.rstrip() for line in lines.get().splitlines()))
