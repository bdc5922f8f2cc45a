"""How a stage tells that it moves. The command line shows it; as a library porter is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Progress:
    """Says nothing; the base of what the command line shows."""

    def note(self, text: str) -> None:
        """A line that the user should see."""

    @contextmanager
    def step(self, title: str, total: int | None = None, unit: str = "images") -> Iterator[Callable[[int], None]]:
        """A step of `total` units, of which `unit` is the plural; the callable that it yields advances it."""
        yield lambda _n: None
