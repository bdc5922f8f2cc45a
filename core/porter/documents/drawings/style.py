"""How drawings look: colours by role, and series told apart by marker, line and hatch before colour."""

from __future__ import annotations

from dataclasses import dataclass

from porter.documents.drawings.svg import ACCENT, GRID, INK, MUTED, PAPER
from porter.errors import one_line


@dataclass(frozen=True)
class Series:
    """One artefact's look in every drawing."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[int, ...]]
    """A line style of matplotlib's: a name, or an offset and a pattern of dashes."""
    hatch: str
    """Of lines only: a hatch of dots or rings takes a hundred times the bytes."""


SERIES = (
    Series(ACCENT, "o", "-", "////"),
    Series("#a8480f", "s", "--", "||||"),
    Series("#2f6f3e", "^", "-.", "\\\\\\\\"),
    Series("#74408f", "D", ":", "xxxx"),
    Series("#7a5c00", "v", (0, (5, 1, 1, 1, 1, 1)), "----"),
    Series("#00686d", "P", (0, (8, 2)), "++++"),
    Series("#a12a5e", "X", (0, (2, 1)), "//"),
    Series("#505050", "*", (0, (1, 2)), "||"),
)

ROLES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAPER: "paper",
    **{series.colour: f"c{number}" for number, series in enumerate(SERIES)},
}
"""Colour of a drawing: the role that the style sheet gives a colour for light, dark and paper."""

LABEL_LENGTH = 30


def series(number: int) -> Series:
    """The look of the artefact at that place; from the ninth on looks come again, with another marker."""
    look, again = SERIES[number % len(SERIES)], number // len(SERIES)
    if not again:
        return look
    marker = SERIES[(number + again) % len(SERIES)].marker
    return Series(look.colour, marker, look.line, look.hatch)


def short(label: object, length: int = LABEL_LENGTH) -> str:
    """A label that fits a drawing; the tables have it whole."""
    name = one_line(label)
    return name if len(name) <= length else f"{name[: length - 1]}…"
