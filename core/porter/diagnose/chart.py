"""The error along the depth of the network, as an SVG drawing that is the same for the same record."""

from __future__ import annotations

import html
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import TYPE_CHECKING

from porter.errors import Missing, one_line
from porter.records.diagnosis import DepthError, GraphDiagnosis, NodeFinding

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (9.0, 4.5)
FLOOR, CEILING = 1e-9, 1e1
"""What lies below is drawn on the floor; what lies above, or has no value, on the ceiling."""
LABEL_LENGTH = 48
ADDED = {
    "alone": "added by the node alone",
    "growth": "added: growth over the node's inputs",
}


def depth_chart(diagnosis: GraphDiagnosis) -> bytes:
    """An SVG with a title and a description for screen readers; lines differ in form, not by colour alone.

    Raises `Missing` without matplotlib.
    """
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise Missing(f"matplotlib cannot be imported ({one_line(error)}): pip install matplotlib") from None
    title = f"{_short(diagnosis.candidate)} against {_short(diagnosis.reference)}: error along the depth"
    data = io.BytesIO()
    with _plain_style():
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        axes.set_title(title)
        _draw(axes, diagnosis)
        figure.savefig(data, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    return _described(data.getvalue().decode(), _description(diagnosis)).encode()


def _draw(axes: Axes, diagnosis: GraphDiagnosis) -> None:
    profile = diagnosis.profile
    depth = [entry.depth for entry in profile]
    added = [_introduced(entry) for entry in profile]
    axes.vlines(depth, FLOOR, added, color="0.65", linewidth=0.8, zorder=1)
    axes.plot(depth, added, "x", color="0.35", markersize=4, label=ADDED[diagnosis.introduced_by], zorder=2)
    total = [_total(entry) for entry in profile]
    axes.plot(depth, total, "-", color="#0b4f8a", linewidth=1.8, label="whole candidate up to here", zorder=3)
    axes.axhline(
        _within(diagnosis.tolerance.rtol), color="black", linestyle=":", label=f"rtol {diagnosis.tolerance.rtol:g}"
    )
    if diagnosis.first is not None:
        axes.axvline(diagnosis.first.depth, color="black", linestyle="--", linewidth=1.2, label=_mark(diagnosis.first))
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 2, CEILING * 2)
    axes.set_xlabel("node, in topological order of the reference")
    axes.set_ylabel("relative error, max|a − b| / max|a|")
    axes.grid(visible=True, axis="y", color="0.9")
    axes.legend(loc="upper left", fontsize="small", framealpha=0.9)


def _total(entry: DepthError) -> float:
    return _within(entry.relative_error if entry.relative_error is not None else CEILING)


def _introduced(entry: DepthError) -> float:
    return _within(entry.introduced_error if entry.introduced_error is not None else CEILING)


def _within(value: float) -> float:
    return min(max(value, FLOOR), CEILING)


def _mark(first: NodeFinding) -> str:
    return f"first beyond the tolerance: node {first.depth}, {_short(first.module or first.name)}"


def _description(diagnosis: GraphDiagnosis) -> str:
    """What the drawing shows, in words."""
    beyond = sum(entry.exceeds for entry in diagnosis.profile)
    text = f"{len(diagnosis.profile)} nodes compared, {beyond} beyond the tolerance."
    if diagnosis.first is not None:
        text += f" The first is node {diagnosis.first.depth}, {one_line(diagnosis.first.name)}."
    if diagnosis.worst:
        text += f" Most error is added by {_names(diagnosis.worst[:3])}."
    return f"{text} Errors below {FLOOR:g} are drawn at {FLOOR:g}, those above {CEILING:g} or without a value there."


def _names(findings: Sequence[NodeFinding]) -> str:
    return ", ".join(one_line(finding.name) for finding in findings)


def _short(label: str) -> str:
    name = one_line(PurePath(label).name if label.endswith(".onnx") else label)
    return name if len(name) <= LABEL_LENGTH else f"…{name[1 - LABEL_LENGTH :]}"


@contextmanager
def _plain_style() -> Iterator[None]:
    """matplotlib's own defaults whatever the user's are; text stays text; ids do not change from run to run."""
    import matplotlib
    from matplotlib import style

    logger = logging.getLogger("matplotlib")
    level = logger.level
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # text stays text: the viewer's font draws it
        logger.setLevel(logging.ERROR)
        style.use("default")
        matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "porter", "text.parse_math": False})
        try:
            yield
        finally:
            logger.setLevel(level)


def _described(svg: str, description: str) -> str:
    """Add what matplotlib leaves out: the description, and the role that makes a reader announce both."""
    svg = svg.replace("<svg ", '<svg role="img" aria-labelledby="title desc" ', 1)
    svg = svg.replace("<title>", '<title id="title">', 1)
    return svg.replace("</title>", f'</title>\n <desc id="desc">{html.escape(description)}</desc>', 1)
