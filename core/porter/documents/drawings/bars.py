"""Rows of horizontal bars whose names and figures stand above each bar, so that a phone can read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porter.documents.drawings.style import LABEL_LENGTH, short
from porter.documents.drawings.svg import PAPER

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 5.0
"""Inches of a drawing."""
BAR = 0.42
"""Height of a bar, of one row's height."""
ON_GROUND: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "boxstyle": "square,pad=0.1"}
"""What hides the lines and hatches behind a text."""


def height(rows: int, extra: float = 0.75) -> float:
    """Inches that so many rows take; `extra` is for the axis and the legend."""
    return 0.52 * rows + extra


def frame(axes: Axes, rows: int, low: float, high: float, unit: str) -> None:
    """Row 0 on top, no axis but the one below."""
    axes.set_ylim(rows - 0.4, -0.75)
    axes.set_xlim(low, high)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(short(unit, 2 * LABEL_LENGTH))
    axes.grid(visible=True, axis="x")
    axes.set_axisbelow(True)


def head(axes: Axes, row: int, name: str, figure: str) -> None:
    """Name at the left, figure at the right, above the row's bar."""
    across = axes.get_yaxis_transform()  # x in parts of the width, y in rows
    axes.text(0, row - BAR / 2 - 0.06, name, transform=across, ha="left", va="bottom", bbox=ON_GROUND)
    axes.text(1, row - BAR / 2 - 0.06, figure, transform=across, ha="right", va="bottom", bbox=ON_GROUND)
