"""Accuracy with its intervals, and the drop against the reference beside the one allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from porter.documents.drawings.bars import BAR, WIDTH, frame, head, height
from porter.documents.drawings.inline import chart
from porter.documents.drawings.lines import REFERENCE, names
from porter.documents.drawings.style import series, short
from porter.documents.drawings.svg import INK, MUTED, PAPER
from porter.records.evaluation import Evaluation, Metric
from porter.records.message import number
from porter.records.paired import PairedComparison, ResampledDrop
from porter.records.record import RunRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _Bar:
    name: str
    metric: Metric


def shown_metrics(record: RunRecord) -> tuple[str, ...]:
    """Names of the metrics worth a drawing: the gate's, and those that the model's authors publish."""
    if not record.evaluations or not record.evaluations[0].metrics:
        return ()
    known = [metric.name for metric in record.evaluations[0].metrics]
    gate = [one.metric for one in record.comparisons][:1] or known[:1]
    published = record.model.published.metrics if record.model and record.model.published else ()
    wanted = dict.fromkeys([*gate, *(metric.name for metric in published)])
    return tuple(name for name in wanted if name in known)


def accuracy_chart(record: RunRecord, place: int) -> Markup:
    """Bars of one of the `shown_metrics` for all evaluations, the published figure as a line across them."""
    name = shown_metrics(record)[place]
    bars = [_Bar(one.name, m) for one in record.evaluations for m in one.metrics if m.name == name]
    first = bars[0].metric
    published = record.model.published.value(name) if record.model and record.model.published else None

    def draw(figure: Figure) -> str:
        axes = figure.add_subplot()
        for row, bar in enumerate(bars):
            _bar(axes, record, row, bar)
        if published is not None:
            label = f"published {published:.2f}"
            _across(axes, published, len(bars), color=INK, linestyle="--", linewidth=1.2, zorder=2.5, label=label)
            figure.legend(loc="outside lower center")
        top = 100.0 if first.unit == "percent" else 1.05 * max(_reach(bars), published or 0.0, 1e-12)
        frame(axes, len(bars), 0.0, top, f"{first.title}, {first.unit}")
        told = "; ".join(f"{bar.name}: {_figure(bar.metric)}" for bar in bars)
        return f"{first.title}, {first.unit}. {told}." + ("" if published is None else f" Published: {published:.2f}.")

    size = (WIDTH, height(len(bars), 1.05 if published is not None else 0.75))
    return chart(f"accuracy-{place}", f"{first.title} with intervals", size, draw)


def drop_chart(record: RunRecord) -> Markup:
    """The drop of every artefact against the reference, image by image, with its interval and the one allowed."""
    found = [(one, paired) for one in record.evaluations if (paired := _paired(one)) is not None]
    if not found:
        return Markup("")
    allowed = found[0][1].allowed

    def draw(figure: Figure) -> str:
        axes = figure.add_subplot()
        for row, (one, paired) in enumerate(found):
            look = series(names(record).index(one.name))
            interval = paired.interval
            axes.plot([interval.low, interval.high], [row, row], "|-", color=look.colour, markersize=9, linewidth=1.8)
            axes.plot(paired.drop, row, look.marker, color=look.colour, markersize=7)
            head(axes, row, short(one.name), _drop(paired))
        _across(axes, 0.0, len(found), color=MUTED, linewidth=0.9)
        _across(axes, allowed, len(found), color=INK, linestyle="--", linewidth=1.2, label=f"limit {allowed:g}")
        figure.legend(loc="outside lower center")
        frame(axes, len(found), *_around(found, allowed), "drop against the reference, points")
        told = "; ".join(f"{one.name}: {_drop(paired)}, {paired.verdict}" for one, paired in found)
        return f"Drop in percentage points with its interval; {allowed:g} allowed. {told}."

    return chart("drop", "Drop against the reference, image by image", (WIDTH, height(len(found), 1.05)), draw)


def _across(axes: Axes, value: float, rows: int, **look: Any) -> None:
    """A line at a value across the marks of all rows; it leaves out what is written above them."""
    axes.vlines([value] * rows, [row - BAR / 2 for row in range(rows)], [row + BAR / 2 for row in range(rows)], **look)


def _bar(axes: Axes, record: RunRecord, row: int, bar: _Bar) -> None:
    value, interval = bar.metric.value, bar.metric.interval
    if bar.name == REFERENCE:
        axes.barh(row, value, BAR, facecolor=PAPER, edgecolor=INK, linewidth=1.0, zorder=2)
    else:
        look = series(names(record).index(bar.name))
        axes.barh(row, value, BAR, facecolor=PAPER, edgecolor=look.colour, hatch=look.hatch, linewidth=1.0, zorder=2)
    if interval is not None:
        axes.plot([interval.low, interval.high], [row, row], "|-", color=INK, markersize=9, linewidth=1.6, zorder=3)
    head(axes, row, short(bar.name), _figure(bar.metric))


def _figure(metric: Metric) -> str:
    interval = metric.interval
    return f"{metric.value:.2f}" + ("" if interval is None else f" [{interval.low:.2f}, {interval.high:.2f}]")


def _drop(paired: PairedComparison | ResampledDrop) -> str:
    return f"{number(paired.drop, '.2f')} [{number(paired.interval.low, '.2f')}, {number(paired.interval.high, '.2f')}]"


def _reach(bars: Sequence[_Bar]) -> float:
    return max(bar.metric.interval.high if bar.metric.interval else bar.metric.value for bar in bars)


def _around(
    found: Sequence[tuple[Evaluation, PairedComparison | ResampledDrop]], allowed: float
) -> tuple[float, float]:
    ends = [end for _, one in found for end in (one.interval.low, one.interval.high)]
    low, high = min(*ends, 0.0), max(*ends, allowed)
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _paired(evaluation: Evaluation) -> PairedComparison | ResampledDrop | None:
    return None if evaluation.changes is None else evaluation.changes.judged
