"""Where the time goes: the share of each stage of the whole path, a bar for each evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from porter.documents.drawings.bars import BAR, ON_GROUND, WIDTH, frame, head, height
from porter.documents.drawings.inline import chart
from porter.documents.drawings.style import series, short
from porter.documents.drawings.svg import PAPER
from porter.records.evaluation import EndToEnd, Evaluation
from porter.records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TELLABLE = 9.0
"""Percent of the width below which a part has no room for its figure; the table has it."""


def share_chart(record: RunRecord) -> Markup:
    """Stacked bars of the busy time of all stages; empty where no evaluation measured it."""
    found = [(one, one.end_to_end) for one in record.evaluations if one.end_to_end and one.end_to_end.stages]
    if not found:
        return Markup("")
    names = tuple(dict.fromkeys(stage.name for _, path in found for stage in path.stages))

    def draw(figure: Figure) -> str:
        axes = figure.add_subplot()
        for row, (one, path) in enumerate(found):
            head(axes, row, short(one.name), f"{path.images_per_second:.2f} images/s")
            left = 0.0
            for stage in path.stages:
                look = series(names.index(stage.name))
                axes.barh(
                    row,
                    stage.share_percent,
                    BAR,
                    left=left,
                    facecolor=PAPER,
                    edgecolor=look.colour,
                    hatch=look.hatch,
                    label=short(stage.name) if row == 0 else None,
                )
                if stage.share_percent >= TELLABLE:
                    place = left + stage.share_percent / 2
                    axes.text(place, row, f"{stage.share_percent:.1f}", ha="center", va="center", bbox=ON_GROUND)
                left += stage.share_percent
        frame(axes, len(found), 0.0, 100.0, "percent of the busy time of all stages")
        figure.legend(loc="outside lower center", ncols=4)
        return _told(found)

    return chart("shares", "Share of each stage in the busy time", (WIDTH, height(len(found), 1.05)), draw)


def _told(found: list[tuple[Evaluation, EndToEnd]]) -> str:
    rows = (
        f"{one.name}: " + ", ".join(f"{stage.name} {stage.share_percent:.1f} percent" for stage in path.stages)
        for one, path in found
    )
    return "; ".join(rows) + "."
