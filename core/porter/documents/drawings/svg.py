"""matplotlib drawings as SVG text: the same bytes for the same figures, whatever the user's own settings are."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from porter.errors import Missing, one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, GRID, PAPER, ACCENT = "#1a1a1a", "#5f5f5f", "#d9d9d9", "#ffffff", "#1f5f8b"
"""Text and main lines, secondary ones, grid lines, the ground, and the first of the colours that tell lines apart."""


@contextmanager
def plain_style(salt: str = "porter") -> Iterator[None]:
    """matplotlib's own defaults; text stays text; the ids of a drawing come from `salt` and do not change.

    Raises `Missing` without matplotlib.
    """
    try:
        import matplotlib
        from matplotlib import style
    except ImportError as error:
        raise Missing(f"matplotlib cannot be imported ({one_line(error)}): pip install matplotlib") from None
    logger = logging.getLogger("matplotlib")
    level = logger.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # text stays text: the viewer's font draws it
        logger.setLevel(logging.ERROR)
        style.use("default")
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False})
        try:
            yield
        finally:
            logger.setLevel(level)


def new_figure(width: float, height: float) -> Figure:
    """A figure of so many inches that draws to SVG alone and leaves pyplot's state be."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def svg_of(figure: Figure, title: str) -> str:
    """The drawing as an SVG document that states no date and no maker."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # axes without room or beyond floats, as a forged record has them
        # Figure.savefig would draw everything twice.
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(data, metadata={"Title": title, "Date": None, "Creator": None})
    return data.getvalue().decode()
