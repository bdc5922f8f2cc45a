"""Markdown pieces that all pages share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

NOTE = "<!-- Made by docs/generate.py from the code. Do not edit: change the code and run it again. -->"


def page(title: str, *parts: str) -> str:
    """A whole page. Empty parts are left out."""
    return "\n\n".join([f"# {title}", NOTE, *(part.strip("\n") for part in parts if part.strip())]) + "\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars in its fields are made harmless."""
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell(field) for field in row) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def cell(text: str) -> str:
    """Text on one line, with bars escaped (also in code: a table cell ends at any bare bar)."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """An inline code span; nothing for nothing."""
    return f"`{text}`" if text else ""


def block(language: str, text: str) -> str:
    """A fenced code block."""
    return f"```{language}\n{text.rstrip()}\n```"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def link(name: str) -> str:
    """A link to the heading `name` of the same page."""
    return f"[`{name}`](#{anchor(name)})"
