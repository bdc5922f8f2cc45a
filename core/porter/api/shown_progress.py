"""How a run tells a Python program that it moves."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from html import escape
from typing import Any

from porter.cli.terminal_progress import TerminalProgress
from porter.contracts.progress import Progress
from porter.errors import one_line

REDRAWN_EVERY = 0.2
"""Seconds between two pictures of the bars in a notebook."""


def progress_of(
    shown: bool | Progress | Callable[[str, int, int | None], object],
) -> AbstractContextManager[Progress]:
    """Whom a run tells, see `porter.run`; open as long as the context is."""
    if isinstance(shown, Progress):
        return nullcontext(shown)
    if callable(shown):
        return nullcontext(_Told(shown))
    if not shown or sys.stderr is None:  # a program without a console has none
        return nullcontext(Progress())
    display = _notebook()
    return TerminalProgress(redirect=False) if display is None else nullcontext(_Bars(display))


class _Told(Progress):
    """Calls a function of the user's."""

    def __init__(self, tell: Callable[[str, int, int | None], object]) -> None:
        self._tell = tell

    def note(self, text: str) -> None:
        self._tell(one_line(text), 0, None)

    @contextmanager
    def step(self, title: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
        done, shown = 0, one_line(title)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self._tell(shown, done, total)

        self._tell(shown, 0, total)
        yield advance


class _Bars(Progress):
    """Bars in the output of a notebook's cell: one line a step."""

    def __init__(self, display: Any) -> None:
        self._lines: list[str] = []
        self._drawn = 0.0
        self._lock = threading.Lock()
        self._cell = display({"text/html": "", "text/plain": ""}, raw=True, display_id=True)

    def note(self, text: str) -> None:
        self._set(None, f"note: {escape(one_line(text))}")

    @contextmanager
    def step(self, title: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
        shown, done, started = escape(one_line(title)), 0, time.monotonic()
        place = self._set(None, shown)

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar = f"<progress value='{done}' max='{total or 1}'></progress> "
            self._set(place, f"{bar}{shown}: {done} of {total} {escape(unit)}", soon=True)

        yield advance
        counted = f"{done} of {total} {escape(unit)}, " if total else ""
        self._set(place, f"{shown}: {counted}{time.monotonic() - started:.1f} s")

    def _set(self, place: int | None, line: str, *, soon: bool = False) -> int:
        """Write a line at its place, or a further one; `soon`: the picture may wait."""
        with self._lock:
            if place is None:
                self._lines.append("")
                place = len(self._lines) - 1
            self._lines[place] = line
            if not soon or time.monotonic() - self._drawn >= REDRAWN_EVERY:
                self._drawn = time.monotonic()
                html = "".join(f"<div>{one}</div>" for one in self._lines)
                self._cell.update({"text/html": html, "text/plain": f"{len(self._lines)} steps"}, raw=True)
        return place


def _notebook() -> Any:
    """IPython's `display`, where the program is a notebook's; else None."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    return display
