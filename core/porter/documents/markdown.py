"""Text for the README: one line, no markup of its own, no HTML, nothing that breaks a table or turns its order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from porter.documents.bidi import isolated
from porter.errors import one_line
from porter.files.urls import is_web_address
from porter.records.message import Markup, number

NOT_MEASURED = "not measured"
UNKNOWN = "–"
"""What a cell holds that has no figure, in a table where that says enough."""


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


def table(rows: Sequence[Sequence[str]], heads: Sequence[str], numbers: Sequence[int] = ()) -> str:
    """A table of cells that are written already; `numbers` are its columns of numbers.

    A column in which nothing is known, whose every cell is a dash, is left out.
    """
    kept = [place for place in range(len(heads)) if any(row[place] != UNKNOWN for row in rows)]
    ruler = ["---:" if place in numbers else "---" for place in range(len(heads))]
    return "\n".join(f"| {' | '.join(line[place] for place in kept)} |" for line in (heads, ruler, *rows))


def dims(shape: Any) -> str:
    """A shape, e.g. N×3×224×224."""
    return "×".join(map(str, shape))


MARKDOWN = Markup(text=text, code=code)
