"""Throughput and latency against the batch size, a line for each artefact."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from porter.documents.drawings.inline import chart
from porter.documents.drawings.lines import lines
from porter.documents.drawings.style import Series, series, short
from porter.documents.drawings.svg import PAPER
from porter.records.performance import Performance
from porter.records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_INCHES = (5.0, 3.6)
LEGEND_LENGTH = 50
WIDE = 50.0
"""From this ratio of the largest to the smallest value on, the axis is logarithmic."""

Value = Callable[[Performance], float | None]


def throughput_chart(record: RunRecord) -> Markup:
    """Images per second against batch; empty where nothing was measured."""
    return _chart(record, "throughput", "Throughput against batch size", "images/s", _throughput)


def latency_chart(record: RunRecord) -> Markup:
    """Median latency of a batch against batch size, with a whisker up to p90 where the calls hold one."""
    return _chart(record, "latency", "Latency of a batch against batch size", "median ms", _median, _p90)


def _throughput(one: Performance) -> float | None:
    return one.images_per_second


def _median(one: Performance) -> float | None:
    return one.latency.median_ms


def _p90(one: Performance) -> float | None:
    return one.latency.p90_ms


def _chart(record: RunRecord, name: str, title: str, unit: str, value: Value, upper: Value | None = None) -> Markup:
    measured = [one for one in record.performance if value(one) is not None]
    if not measured:
        return Markup("")
    batches = sorted({*record.request.batch_sizes, *(one.batch for one in measured)})

    def draw(figure: Figure) -> str:
        axes = figure.add_subplot()
        told = []
        for line in lines(record):
            points = {batch: one for batch, one in line.points.items() if value(one) is not None}
            if points:
                _line(axes, batches, points, short(line.label, LEGEND_LENGTH), series(line.look), value, upper)
                told.append(f"{line.label}: {_listed(batches, points, unit, value)}")
        _frame(axes, batches, unit + (", whisker to p90" if upper else ""), [value(one) for one in measured])
        _legend(figure, axes, any(one.steady is False for one in measured))
        return f"{title}. {'; '.join(told)}."

    return chart(name, title, SIZE_INCHES, draw)


def _line(
    axes: Axes,
    batches: Sequence[int],
    points: dict[int, Performance],
    label: str,
    look: Series,
    value: Value,
    upper: Value | None,
) -> None:
    heights = [value(points[batch]) if batch in points else None for batch in batches]
    drawn = [math.nan if height is None else height for height in heights]
    axes.plot(range(len(batches)), drawn, linestyle=look.line, color=look.colour, linewidth=1.6, zorder=2)
    for place, batch in enumerate(batches):
        if batch not in points or heights[place] is None:
            continue
        one = points[batch]
        fill = PAPER if one.steady is False else look.colour
        axes.plot(place, drawn[place], look.marker, color=look.colour, markerfacecolor=fill, markersize=6, zorder=3)
        top = None if upper is None else upper(one)
        if top is not None:
            axes.plot([place, place], [drawn[place], top], color=look.colour, linewidth=1.0, zorder=1)
            axes.plot(place, top, "_", color=look.colour, markersize=7, zorder=1)
    axes.plot([], [], look.marker, linestyle=look.line, color=look.colour, label=label)


def _frame(axes: Axes, batches: Sequence[int], unit: str, values: Sequence[float | None]) -> None:
    axes.set_xticks(range(len(batches)), [str(batch) for batch in batches])
    axes.set_xlim(-0.4, len(batches) - 0.6)
    axes.set_xlabel("batch size")
    axes.set_ylabel(unit)
    axes.grid(visible=True, axis="y")
    axes.set_axisbelow(True)
    known = [one for one in values if one]
    if known and max(known) > WIDE * min(known):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)


def _legend(figure: Figure, axes: Axes, unsteady: bool) -> None:
    if unsteady:
        axes.plot([], [], "o", color=series(0).colour, markerfacecolor=PAPER, label="hollow: unstable")
    long = any(len(str(text)) > 20 for text in axes.get_legend_handles_labels()[1])
    figure.legend(loc="outside lower center", ncols=1 if long else 2)


def _listed(batches: Sequence[int], points: dict[int, Performance], unit: str, value: Value) -> str:
    known = [(batch, value(points[batch])) for batch in batches if batch in points]
    return ", ".join(f"{height:.2f} {unit} at batch {batch}" for batch, height in known if height is not None)
