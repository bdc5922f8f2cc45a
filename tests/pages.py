"""The code blocks of a Markdown page, for tests that do what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"

SKIPPED = "…"
"""In shown output: a line of its own stands for any lines, at the end of a line for the rest of it."""

_FENCED = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    language: str
    title: str
    """Path of the file that it is the content of; empty for other blocks."""
    text: str
    line: int
    """Line of the page on which its text begins."""


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    document = page.read_text(encoding="utf-8")
    for found in _FENCED.finditer(document):
        language, title, text = found.groups()
        yield Block(language, title or "", text, document.count("\n", 0, found.start()) + 2)


def write_files(page: Path, folder: Path) -> list[str]:
    """Write every block that has a title to `folder`; returns the titles."""
    titled = [block for block in blocks(page) if block.title]
    for block in titled:
        path = folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
    return [block.title for block in titled]


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a `console` block (after `$ `), and the lines that the page shows as its output."""
    command, output = "", list[str]()
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, output
            command, output = line.removeprefix("$ "), []
        else:
            output.append(line)
    if command:
        yield command, output


def essential(line: str) -> str:
    """A line without what differs between machines: decimals other than 100.00, doubts about steadiness, widths."""
    masked = re.sub(r"\d+\.\d+(e[-+]\d+)?", lambda number: number[0] if number[0] == "100.00" else "#", line)
    return re.sub(" {2,}", "  ", masked.replace(" (unstable)", "").replace(", unstable", "")).rstrip()


def explain(shown: list[str], printed: list[str]) -> str:
    """Why the output is not what the page shows; empty where it is."""
    rest = [essential(line) for line in printed]
    skipping = False
    for line in map(essential, shown):
        if line == SKIPPED:
            skipping = True
            continue
        start = line.removesuffix(SKIPPED)
        fits = [found == line or (line.endswith(SKIPPED) and found.startswith(start)) for found in rest]
        if not any(fits if skipping else fits[:1]):
            return f"the page shows {line!r}, next came {rest[:1]}"
        rest = rest[fits.index(True) + 1 :]
        skipping = False
    return f"the page does not show {rest}" if rest and not skipping else ""
