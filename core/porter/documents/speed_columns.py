"""Every column of the tables about speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from porter.documents.grid import Column, Found
from porter.records.evaluation import EndToEnd, Evaluation
from porter.records.message import Message, Text
from porter.records.performance import Copy, Performance
from porter.records.tuning import Gain, Tuning

JUDGED_FROM = 5.0
"""Seconds that a pass over the data must take for its rate to be one: below, starting and ending weigh too much."""
STAGES = {
    "read": Message("read"),
    "preprocess": Message("preprocess"),
    "infer": Message("infer"),
    "postprocess": Message("postprocess"),
}
SOURCES = {"images": Message("image files"), "tensors": Message("tensors"), "outputs": Message("outputs")}


def streams(count: int | None, queued: int | None) -> Found:
    """Streams, and the calls in line where there are any."""
    return Message("{count} + {queued} queued", count=count, queued=queued) if count is not None and queued else count


def unsettled(one: Performance) -> Message | None:
    """Why a speed is not to be trusted to the last digit; None where it is steady."""
    if one.settled is False:
        if one.warmup_spread_percent is None:
            return Message("warm-up never settled")
        return Message("warm-up never settled ({spread:.1f}% apart)", spread=one.warmup_spread_percent)
    return Message("unstable") if one.steady is False else None


def marks(one: Performance) -> tuple[Text, ...]:
    """What speaks against a speed."""
    return tuple(Message("impossible: {mark}", mark=m.text) if m.impossible else m.text for m in one.marks)


def in_streams(rows: Sequence[Performance]) -> bool:
    """Whether any of them ran several batches at once, or queued calls."""
    return any(one.session.streams > 1 or one.queued for one in rows)


MEASURED: tuple[Column[Performance], ...] = (
    Column(title=Message("artefact"), read=lambda one: one.artefact),
    Column(title=Message("batch"), read=lambda one: one.batch, form=""),
    Column(title=Message("threads"), read=lambda one: one.session.threads, form=""),
    Column(
        title=Message("streams"),
        read=lambda one: None if one.clock else streams(one.session.streams, one.queued),
        form="",
        shown=in_streams,
    ),
)
"""What was measured: the first columns of both tables of speed. Who reads one stream everywhere needs no column."""


CARD: Column[Performance] = Column(
    title=Message("images/s of a card (computed)"),
    read=lambda one: one.card.images_per_second if one.card else None,
    form=".2f",
)


def speed(note: Callable[[Performance], tuple[Text, ...]]) -> tuple[Column[Performance], ...]:
    """Speed of every artefact at every batch size; `note` says what is to be said of one."""
    return (
        *MEASURED,
        Column(title=Message("images/s"), read=lambda one: one.images_per_second, form=".2f", strong=True),
        CARD,
        Column(title=Message("median ms"), read=lambda one: one.latency.median_ms, form=".2f"),
        Column(title="p90 ms", read=lambda one: one.latency.p90_ms, form=".2f"),
        Column(title="p99 ms", read=lambda one: one.latency.p99_ms, form=".2f"),
        Column(title=Message("ms per image"), read=lambda one: one.ms_per_image, form=".2f"),
        Column(title=Message("spread %"), read=lambda one: one.latency.spread_percent, form=".1f"),
        Column(title=Message("calls"), read=lambda one: one.calls, form=""),
        Column(
            title=Message("input"),
            read=lambda one: one.input,
            kind="text",
            shown=lambda rows: any(one.input != rows[0].input for one in rows),
        ),
        Column(title=Message("note"), read=note, kind="text"),
    )


HOW_MEASURED: tuple[Column[Performance], ...] = (
    *MEASURED,
    Column(title=Message("load ms"), read=lambda one: one.load_ms, form=".1f"),
    Column(title=Message("first run ms"), read=lambda one: one.first_run_ms, form=".1f"),
    Column(title=Message("warm-up calls"), read=lambda one: one.warmup_runs, form=""),
    Column(title=Message("warm-up spread %"), read=lambda one: one.warmup_spread_percent, form=".1f"),
    Column(title=Message("load average before"), read=lambda one: one.load_average_before, form=".2f"),
    Column(title=Message("after"), read=lambda one: one.load_average_after, form=".2f"),
    Column(
        title=Message("peak memory, MiB"),
        read=lambda one: one.peak_memory_mib,
        form=".0f",
    ),
    Column(
        title=Message("note"),
        read=lambda one: Message("compiled model loaded from disk") if one.session.loaded_from_cache else None,
        kind="text",
    ),
)
COPIES: tuple[Column[tuple[Performance, Copy]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].artefact),
    Column(title=Message("batch"), read=lambda row: row[0].batch, form=""),
    Column(title=Message("direction"), read=lambda row: row[1].direction),
    Column(title=Message("median ms"), read=lambda row: row[1].latency.median_ms, form=".2f"),
    Column(title=Message("mean ms"), read=lambda row: row[1].latency.mean_ms, form=".2f"),
    Column(title=Message("min ms"), read=lambda row: row[1].latency.min_ms, form=".2f"),
    Column(title=Message("max ms"), read=lambda row: row[1].latency.max_ms, form=".2f"),
)
TUNINGS: tuple[Column[tuple[Tuning, Text, Gain]], ...] = (
    Column(title=Message("artefact"), read=lambda row: row[0].artefact),
    Column(title=Message("aim"), read=lambda row: row[1]),
    Column(title=Message("threads"), read=lambda row: row[2].best.threads, form=""),
    Column(title=Message("streams"), read=lambda row: streams(row[2].best.streams, row[2].best.queued), form=""),
    Column(title=Message("batch"), read=lambda row: row[2].best.batch, form=""),
    Column(title=Message("best"), read=lambda row: row[2].best_value, form=".2f"),
    Column(title=Message("plain"), read=lambda row: row[2].plain_value, form=".2f"),
    Column(title=Message("gain %"), read=lambda row: row[2].gain_percent, form=".1f"),
    Column(title=Message("least gain %"), read=lambda row: row[2].least_gain_percent, form=".1f"),
    Column(title=Message("greatest gain %"), read=lambda row: row[2].most_gain_percent, form=".1f"),
    Column(title=Message("turns"), read=lambda row: row[2].turns, form=""),
)


def end_to_end(stages: Sequence[str]) -> tuple[Column[tuple[Evaluation, EndToEnd]], ...]:
    """The whole path of each evaluation that has one, with the share of each of these stages."""

    def share(place: int) -> Callable[[tuple[Evaluation, EndToEnd]], Found]:
        return lambda row: row[1].stages[place].share_percent

    return (
        Column(title=Message("model"), read=lambda row: row[0].title),
        Column(title=Message("read from"), read=lambda row: SOURCES.get(row[1].source, row[1].source)),
        Column(title=Message("images"), read=lambda row: row[1].images, form=""),
        Column(title=Message("wall s"), read=lambda row: row[1].wall_seconds, form=".2f"),
        Column(title=Message("images/s"), read=lambda row: row[1].images_per_second, form=".2f"),
        Column(
            title=Message("note"),
            read=lambda row: Message("too short to judge") if row[1].wall_seconds < JUDGED_FROM else None,
            kind="text",
        ),
        *(
            Column(title=Message("{stage} %", stage=STAGES.get(name, name)), read=share(place), form=".1f")
            for place, name in enumerate(stages)
        ),
    )
