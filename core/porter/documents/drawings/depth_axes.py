"""The error along the depth of the network, as an SVG drawing that is the same for the same record."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from porter.documents.drawings.svg import ACCENT, GRID, INK, MUTED, new_figure, plain_style, svg_of
from porter.errors import one_line
from porter.records.diagnosis import GraphDiagnosis, NodeFinding

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (9.0, 4.8)
FLOOR, CEILING = 1e-9, 1e2
"""The widest range drawn."""
LABEL_LENGTH = 48
ADDED = {
    "alone": "added by the node alone",
    "growth": "added: growth over the node's inputs",
}


def depth_chart(diagnosis: GraphDiagnosis) -> bytes:
    """An SVG with a title and a description for screen readers; lines differ in form, not by colour alone.

    Raises `Missing` without matplotlib.
    """
    title = depth_title(diagnosis)
    with plain_style():
        figure = new_figure(*SIZE_INCHES)
        axes = figure.add_subplot()
        axes.set_title(title)
        draw_depth(axes, diagnosis)
        figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)
        svg = svg_of(figure, title)
    return _described(svg, depth_description(diagnosis)).encode()


def depth_title(diagnosis: GraphDiagnosis) -> str:
    """Heading of the drawing."""
    return f"{_short(diagnosis.candidate)} against {_short(diagnosis.reference)}: error along the depth"


@dataclass(frozen=True)
class _Range:
    """Whole decades around the values. What lies outside, or has no value, is drawn on the edge."""

    low: float
    high: float

    @classmethod
    def of(cls, diagnosis: GraphDiagnosis) -> _Range:
        errors = [error for entry in diagnosis.profile for error in (entry.relative_error, entry.introduced_error)]
        found = [error for error in (*errors, diagnosis.tolerance.rtol) if error is not None and error > 0]
        shown = [min(max(error, FLOOR), CEILING) for error in found]
        low = 10.0 ** (math.floor(math.log10(min(shown, default=FLOOR))) - 1)
        high = 10.0 ** (math.ceil(math.log10(max(shown, default=FLOOR))) + 1)
        return cls(min(max(low, FLOOR), CEILING / 100), max(min(high, CEILING), FLOOR * 100))

    def place(self, error: float | None) -> float:
        return self.high if error is None else min(max(error, self.low), self.high)


def draw_depth(axes: Axes, diagnosis: GraphDiagnosis) -> None:
    """Draw the profile into `axes`, each line with a label for a legend."""
    extent = _Range.of(diagnosis)
    profile, tolerance = diagnosis.profile, diagnosis.tolerance
    depth = [entry.depth for entry in profile]
    added = {one.depth: extent.place(one.introduced_error) for one in profile if one.introduced_error is not None}
    axes.vlines(list(added), extent.low, list(added.values()), color=MUTED, linewidth=0.4, zorder=1)
    axes.plot(list(added), list(added.values()), "x", color=MUTED, markersize=4, label=ADDED[diagnosis.introduced_by])
    worst = [finding.depth for finding in diagnosis.worst]
    if worst:
        at = [added.get(place, extent.high) for place in worst]
        axes.plot(worst, at, "D", color=INK, markersize=5, label=f"the {len(worst)} that add most", zorder=4)
    total = [extent.place(entry.relative_error) for entry in profile]
    axes.plot(depth, total, "-", color=ACCENT, linewidth=1.8, label="whole candidate up to here", zorder=3)
    axes.axhline(extent.place(tolerance.rtol), color=INK, linestyle=":", label=f"rtol {tolerance.rtol:g}")
    if diagnosis.first is not None:
        axes.axvline(diagnosis.first.depth, color=INK, linestyle="--", linewidth=1.2, label=_mark(diagnosis.first))
    axes.set_yscale("log")
    axes.set_ylim(extent.low / 1.5, extent.high * 1.5)
    axes.yaxis.set_major_formatter(lambda value, _position: f"1e{round(math.log10(value))}")
    axes.set_xlabel("node, in topological order of the reference")
    axes.set_ylabel("relative error, max|a − b| / max|a|")
    axes.grid(visible=True, axis="y", color=GRID)


def _mark(first: NodeFinding) -> str:
    return f"first beyond the tolerance: node {first.depth}, {_short(first.module or first.name)}"


def depth_description(diagnosis: GraphDiagnosis) -> str:
    """What the drawing shows, in words."""
    beyond = sum(entry.exceeds for entry in diagnosis.profile)
    text = f"{len(diagnosis.profile)} nodes compared, {beyond} beyond the tolerance."
    if diagnosis.first is not None:
        text += f" The first is node {diagnosis.first.depth}, {one_line(diagnosis.first.name)}."
    if diagnosis.worst:
        text += f" Most error is added by {_names(diagnosis.worst[:3])}."
    # No bounds of the axis here: like its ticks they are no figures of the record.
    return f"{text} What is beyond the axis, zero among it, or has no value is drawn at its edge."


def _names(findings: Sequence[NodeFinding]) -> str:
    return ", ".join(one_line(finding.name) for finding in findings)


def _short(label: str) -> str:
    name = one_line(PurePath(label).name if label.endswith(".onnx") else label)
    return name if len(name) <= LABEL_LENGTH else f"…{name[1 - LABEL_LENGTH :]}"


def _described(svg: str, description: str) -> str:
    """Add what matplotlib leaves out: the description, and the role that makes a reader announce both."""
    svg = svg.replace("<svg ", '<svg role="img" aria-labelledby="title desc" ', 1)
    svg = svg.replace("<title>", '<title id="title">', 1)
    return svg.replace("</title>", f'</title>\n <desc id="desc">{html.escape(description)}</desc>', 1)
