"""The columns of the results table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from porter.documents.columns import with_unit
from porter.documents.grid import Cell, Column, Found
from porter.documents.results import Result
from porter.documents.speed_columns import in_streams, streams
from porter.records.message import Message, Text, number
from porter.records.performance import Performance


def gate_title(rows: Sequence[Result]) -> Text:
    """The metric that the accuracy verdict reads, with its unit."""
    metric = next((one.metric for one in rows if one.metric is not None), None)
    return Message("accuracy") if metric is None else with_unit(metric)


def result_columns(gate: Text) -> tuple[Column[Result], ...]:
    """What became of every artefact; `gate` is the title of the metric."""

    def speed(read: Callable[[Performance], Found]) -> Callable[[Result], Found]:
        return lambda one: None if one.best is None else read(one.best)

    return (
        Column(title=Message("artefact"), read=_marked, strong=True),
        Column(title=Message("result"), read=lambda one: Cell(text=one.state, passed=one.passed)),
        Column(title=gate, read=_accuracy_of, form=".2f", strong=True),
        Column(
            title=Message("drop (points)"),
            read=lambda one: (
                None
                if one.compared is None or one.compared.drop is None
                else Cell(text=number(one.compared.drop, ".2f"), interval=one.drop_interval)
            ),
            form=".2f",
        ),
        Column(title=Message("images/s"), read=speed(_rate), form=".2f", strong=True),
        Column(
            title=Message("images/s of a card (computed)"),
            read=speed(lambda one: one.card.images_per_second if one.card else None),
            form=".2f",
        ),
        Column(title=Message("batch"), read=speed(lambda one: one.batch), form=""),
        Column(
            title=Message("streams"),
            read=speed(lambda one: None if one.clock else streams(one.session.streams, one.queued)),
            form="",
            shown=lambda rows: in_streams([one.best for one in rows if one.best is not None]),
        ),
        Column(title=Message("median ms"), read=speed(lambda one: one.latency.median_ms), form=".2f"),
        Column(
            title=Message("size, MiB"),
            read=lambda one: one.size_mib,
            form=".2f",
        ),
    )


def _marked(one: Result) -> Found:
    return Message("{artefact} (chosen)", artefact=one.title) if one.chosen else one.title


def _accuracy_of(one: Result) -> Found:
    if one.published is not None:
        return one.published
    return None if one.metric is None else Cell(text=number(one.metric.value, ".2f"), interval=one.metric.interval)


def _rate(one: Performance) -> Found:
    """The throughput, with a word where it is not to be trusted."""
    if any(mark.impossible for mark in one.marks):
        return Message("{rate:.2f}, impossible", rate=one.images_per_second)
    if one.steady is False:
        return Message("{rate:.2f}, unstable", rate=one.images_per_second)
    return one.images_per_second
