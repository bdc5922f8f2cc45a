"""The error along the depth of the network, as `porter diagnose` found it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from porter.documents.drawings.depth_axes import depth_description, depth_title, draw_depth
from porter.documents.drawings.inline import chart
from porter.records.diagnosis import GraphDiagnosis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZE_INCHES = (7.6, 4.0)


def depth_chart(graph: GraphDiagnosis, place: int) -> Markup:
    """One artefact's graph; `place` is its place among the diagnosis's graphs. Empty where no node was compared."""
    if not graph.profile:
        return Markup("")

    def draw(figure: Figure) -> str:
        axes = figure.add_subplot()
        draw_depth(axes, graph)
        figure.legend(loc="outside lower center", ncols=2)
        return depth_description(graph)

    return chart(f"depth-{place}", depth_title(graph), SIZE_INCHES, draw)
