"""The code blocks of a Markdown page, for tests that do what the page says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"

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
