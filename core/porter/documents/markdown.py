"""Text for the README: one line, no markup of its own, no HTML, nothing that breaks a table or turns its order."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from porter.documents.bidi import isolated
from porter.documents.grid import NOTHING, Cell, Column, Grid
from porter.errors import one_line
from porter.files.urls import is_web_address
from porter.records.message import Markup, Message, Value, number

NOT_MEASURED = "not measured"
PASS, FAIL = Message("pass"), Message("FAIL")


def num(value: float | None, digits: int = 2) -> str:
    """A figure with so many places; None reads "not measured"."""
    if value is None:
        return NOT_MEASURED
    return number(value, f".{digits}f")


def text(value: object) -> str:
    """Text of unknown origin for Markdown, in a table or out of it: one line, no markup, no HTML."""
    plain = one_line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return isolated("".join(f"\\{c}" if c in "\\`*_[]|#~" else c for c in plain))


def code(value: object) -> str:
    """Text of unknown origin as an inline code span that a table cell can hold."""
    plain = one_line(value).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return isolated(f"{fence}{pad}{plain}{pad}{fence}")


def link(value: object) -> str:
    """An address as a link; any other text as `text` has it."""
    plain = str(value)
    if not is_web_address(plain):
        return text(plain)
    return f"<{quote(plain, safe=':/?#@!$&()*+,;=%~._-')}>"


def shell(value: object) -> str:
    """Command lines as a block of code; a character that does not show, or that ends the block, is made visible."""
    lines = [
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        for line in str(value).splitlines()
    ]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *lines, fence])


def table(grid: Grid, say: Callable[[Value], str]) -> str:
    """A table; `say` writes what is no code."""
    heads = [say(column.title) for column in grid.columns]
    ruler = ["---" if column.form is None else "---:" for column in grid.columns]
    rows = [
        [_cell(cell, column, say) for cell, column in zip(line.cells, grid.columns, strict=True)] for line in grid.lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ruler, *rows))


def _cell(cell: Cell, column: Column[Any], say: Callable[[Value], str]) -> str:
    shown = code(cell.text) if column.kind in ("code", "hash") and cell != NOTHING else say(cell.text)
    if cell.passed is not None:
        state = say(PASS) if cell.passed else f"**{say(FAIL)}**"
        shown = f"{state} {shown}".strip()
    if cell.interval is not None:
        shown += f" [{num(cell.interval.low)}, {num(cell.interval.high)}]"
    return f"**{shown}**" if cell.strong else shown


def when(stamp: str) -> str:
    """A time of the record as documents show it: to the minute, with its zone; any other text as it is."""
    try:
        time = datetime.datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    zone = f"{time:%z}"
    return f"{time:%Y-%m-%d %H:%M} {'UTC' if zone in ('', '+0000') else f'UTC{zone[:3]}:{zone[3:]}'}"


def dims(shape: Any) -> str:
    """A shape, e.g. N×3×224×224."""
    return "×".join(map(str, shape))


MARKDOWN = Markup(text=text, code=code)
