"""Write the pages of docs/reference that are made from the code, or check that they are current.

Usage: python docs/generate.py [--check]

With --check nothing is written; the exit code is 1 where a page on disk differs, and the page is named. It is 2 where
the code lacks what a page must say: a hook's example or version, a field's meaning, a figure's unit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from generator import api, cli, hooks, output, record

FOLDER = Path(__file__).parent / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "hooks.md": hooks.page,
    "api.md": api.page,
    "cli.md": cli.page,
    "run-record.md": record.page,
    "run.schema.json": record.schema,
    "json-output.md": output.page,
}


def main(arguments: list[str]) -> int:
    """Write or check every page; returns the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write(f"{(__doc__ or '').strip()}\n")
        return 2
    try:
        pages = {FOLDER / name: make() for name, make in PAGES.items()}
    except ValueError as error:  # the code lacks what a page must say
        sys.stderr.write(f"docs/generate.py: {error}\n")
        return 2
    stale = []
    for path, text in pages.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not arguments:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in stale:
        sys.stdout.write(f"{path}: {'stale; run python docs/generate.py' if arguments else 'written'}\n")
    return 1 if arguments and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
