"""Progress on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from types import TracebackType
from typing import Any

from porter.cli.table import is_terminal
from porter.contracts.progress import Progress
from porter.errors import one_line
from porter.files.outward import say

LINE_EVERY = 10.0
"""Seconds between two lines of one step, where there is no terminal."""


class TerminalProgress(Progress):
    """Shows steps while it is open. With `redirect`, what plugins and libraries print then goes to stderr: a command's
    stdout is for results."""

    def __init__(self, *, redirect: bool = True) -> None:
        self._redirect = redirect
        self._bars: Any = None
        self._stdout = ExitStack()

    def __enter__(self) -> TerminalProgress:
        if is_terminal(sys.stderr):
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bars

            from porter.cli.progress_columns import LeftColumn, RateColumn

            self._bars = Bars(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                RateColumn(),
                TimeElapsedColumn(),
                LeftColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bars.start()
        if self._redirect:
            self._stdout.enter_context(redirect_stdout(sys.stderr))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stdout.close()
        if self._bars is not None:
            self._bars.stop()

    def note(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(f"note: {one_line(text)}", markup=False, highlight=False)
        else:
            say(f"note: {one_line(text)}", error=True)

    @contextmanager
    def step(self, title: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
        shown = one_line(title)
        yield from self._bar(shown, total, unit) if self._bars is not None else self._lines(shown, total)

    def _bar(self, title: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
        task = self._bars.add_task(title, total=total, unit=unit, counted=bool(total))
        yield lambda n: self._bars.advance(task, n)
        self._bars.update(task, total=total or 1, completed=total or 1)

    def _lines(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        started = last = time.monotonic()
        done = 0

        def advance(count: int) -> None:
            nonlocal done, last
            done += count
            if time.monotonic() - last >= LINE_EVERY:
                last = time.monotonic()
                say(f"{title}: {done} of {total}", error=True)

        yield advance
        counted = f"{done} of {total}, " if total else ""
        say(f"{title}: {counted}{time.monotonic() - started:.1f} s", error=True)
