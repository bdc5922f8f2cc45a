"""What speaks against a figure of speed. One that cannot be right fails the verdict: a document would state it.

Whatever a busy machine can bring about is a mark and fails nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from porter.machine.work import Work
from porter.records.artefact import SessionInfo
from porter.records.mark import Mark
from porter.records.message import Message
from porter.records.performance import Copy, Latency, Level, Performance
from porter.records.precision import Precision
from porter.records.record import RunRecord

WALL_FROM, CALL_FROM, STREAM_CALL_FROM = 0.25, 0.002, 0.0005
"""Seconds of timed calls, and of one call, from which processor time tells how many threads work, and whether streams
do: beside shorter calls Python's own time counts."""
MORE_SHARE, MORE = 1.25, 0.3
"""Processors kept busy beyond the threads that are claimed, as a factor and beside it."""
ONE, WAITING, SPARE = 1.1, 0.7, 0.5
"""Processors kept busy up to which a session uses but one, or waits; processors that must have had nothing to do where
the system does not say how long threads waited for one."""
GIVEN = 0.8
"""Share of its threads that a session had processors for: with less, and none free, others took them."""
SLOWED = 2.0
"""How much longer timed calls take than the first one, which has everything to set up."""
IN_FLIGHT, LEFT_OUT, IMPOSSIBLE = 1.5, 0.5, 0.1
"""Batches in flight over the streams that a tool claims: rate × latency gives them. Less than the second is time that
the latency leaves out, as a tool's copies to a device; less than the third no tool leaves out."""
AS_LONG, TIMES_AS_MANY = 1.2, 4
"""How much longer a call on so many times as many images takes at least, on processors."""
APART = 1.5
"""How many times as long as 1 / throughput the time of an image may be stated."""
ALLOWANCE = {4: 8.0, 2: 128.0, 1: 256.0}
"""Operations over those of a small float32 matrix product that one processor can do, by the bytes of a value: 2.25
times less arithmetic by Winograd's method, a product that reaches half of what is possible, and a busy machine; matrix
units for bf16, fp16 and int8."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What was seen while calls were timed; seconds of one call, or as said."""

    first: float
    """The first call."""
    median: float
    callers: int
    """Calls made at once."""
    levels: tuple[Level, ...]
    work: Work
    """Of all timed calls."""
    unseen: float | None = None
    """A call on a batch that was never seen, where that takes far longer; see `Cycle.remembers`."""
    is_moved: bool = False
    """Whether outputs of the same batch are others after the timed calls."""
    is_deaf: bool = False
    """Whether different batches give the same outputs, and the reference does not."""


def marks_of(timing: Timing, info: SessionInfo) -> tuple[Mark, ...]:
    """What speaks against a figure measured here, by how it was measured."""
    return (*_outputs(timing), *_levels(timing), *_first(timing, info), *_threads(timing, info))


def marks_of_tool(
    info: SessionInfo,
    batch: int,
    latency: Latency,
    rate: float,
    ms_per_image: float | None,
    copies: Sequence[Copy] = (),
) -> tuple[Mark, ...]:
    """Whether a tool's throughput (images a second) fits its own latency and batch, and its times each other."""
    copying = sum(one.latency.mean_ms or one.latency.median_ms or 0.0 for one in copies)
    return (*_order(latency), *_of_image(rate, ms_per_image), *_flying(info, batch, latency, rate, copying))


def multiplied(measured: Sequence[Performance]) -> list[Performance]:
    """The measurements of one artefact by a tool, with a mark on those whose call takes as long as one on a fraction of
    the images: the rate of a smaller batch was multiplied, unless the work is nothing beside the call itself."""
    return [replace(one, marks=(*one.marks, *_multiplied(one, measured))) for one in measured]


def _multiplied(one: Performance, measured: Sequence[Performance]) -> Iterator[Mark]:
    least = min(measured, key=lambda other: other.batch)
    took, before = (other.latency.median_ms or other.latency.mean_ms for other in (one, least))
    if not one.clock or one.session.threads is None or one.batch < TIMES_AS_MANY * least.batch:
        return
    if took and before and took < AS_LONG * before:
        text = Message(
            "a call on {batch} images takes {took:.3g} ms, as long as one on {least}: a rate that was multiplied",
            batch=one.batch,
            took=took,
            least=least.batch,
        )
        yield Mark(check="multiplied", text=text)


def _order(latency: Latency) -> Iterator[Mark]:
    """Whether the least time lies below the median, that below the 99th percentile, and that below the greatest."""
    ordered = (latency.min_ms, latency.median_ms, latency.p90_ms, latency.p99_ms, latency.max_ms)
    stated = [one for one in ordered if one is not None]
    if stated != sorted(stated):
        text = Message("its times contradict each other: {times}", times=tuple(f"{one:.3g} ms" for one in stated))
        yield Mark(check="own-times", text=text, impossible=True)


def _of_image(rate: float, ms_per_image: float | None) -> Iterator[Mark]:
    if ms_per_image and rate and not 1 / APART < rate * ms_per_image / 1000 < APART:
        text = Message(
            "{rate:.2f} images/s are {given:.3g} ms per image, but {stated:.3g} ms is stated",
            rate=rate,
            given=1000 / rate,
            stated=ms_per_image,
        )
        yield Mark(check="own-times", text=text, impossible=True)


def _flying(info: SessionInfo, batch: int, latency: Latency, rate: float, copying: float) -> tuple[Mark, ...]:
    stated = [one for one in (latency.mean_ms, latency.median_ms) if one]
    if not stated:
        return ()
    each, flying = min(stated), rate * min(stated) / 1000 / batch  # a tool may make its rate of either
    figures: dict[str, str | int | float | None] = {"rate": rate, "latency": each, "batch": batch}
    if flying > IN_FLIGHT * max(1, info.streams):
        text = Message(
            "{rate:.2f} images/s at {latency:.3g} ms for a batch of {batch} need {flying:.1f} batches in "
            "flight, {streams} are stated",
            **figures,
            flying=flying,
            streams=max(1, info.streams),
        )
        return (Mark(check="own-latency", text=text, impossible=True),)
    flying = rate * max(stated) / 1000 / batch
    if flying < LEFT_OUT:
        text = Message(
            "{rate:.2f} images/s are only {share:.0f}% of the rate that {latency:.3g} ms for a batch of {batch} gives",
            **figures,
            share=100 * flying,
        )
        accounted = rate * (max(stated) + copying) / 1000 / batch
        return (Mark(check="own-latency", text=text, impossible=accounted < IMPOSSIBLE),)
    return ()


def beyond_arithmetic(
    one: Performance, of_image: int, precision: Precision, of_processor: float | None
) -> tuple[Mark, ...]:
    """Whether a rate is above what the processors can do: `of_image` operations for each image, `of_processor` in
    float32 a second of one processor (None: not known)."""
    threads = one.session.threads
    if threads is None or of_processor is None:
        return ()
    processors = max(float(threads), one.processors or 0.0)
    factor = ALLOWANCE.get(precision.bytes, max(ALLOWANCE.values()))
    asked = of_image * one.images_per_second
    if asked <= of_processor * processors * factor:
        return ()
    text = Message(
        "{asked:.3g} operations per second exceed this machine: {processors:.1f} CPUs of {each:.3g} in "
        "fp32, and at most {factor:g} times as many in {precision}",
        asked=asked,
        processors=processors,
        each=of_processor,
        factor=factor,
        precision=precision.name,
    )
    return (Mark(check="arithmetic", text=text, impossible=True),)


def impossible(record: RunRecord, artefact: str = "") -> list[tuple[Performance, Mark]]:
    """The figures that cannot be right, of one artefact or of all, each with why."""
    measured = [one for one in record.performance if artefact in ("", one.artefact)]
    return [(one, mark) for one in measured for mark in one.marks if mark.impossible]


def _outputs(timing: Timing) -> Iterator[Mark]:
    if timing.unseen is not None:
        text = Message(
            "a call takes {unseen:.2f} ms with new images and {median:.2f} ms with earlier ones: outputs "
            "come from a cache",
            unseen=1000 * timing.unseen,
            median=1000 * timing.median,
        )
        yield Mark(check="from-memory", text=text, impossible=True)
    if timing.is_deaf:
        text = Message("different images give identical outputs, but not in the reference")
        yield Mark(check="same-outputs", text=text, impossible=True)
    if timing.is_moved:
        text = Message("the same images give different outputs before and after the timed calls")
        yield Mark(check="other-outputs", text=text, impossible=True)


def _levels(timing: Timing) -> Iterator[Mark]:
    if timing.levels:
        low, high = timing.levels
        text = Message(
            "calls take either {low:.2f} ms or {high:.2f} ms, {share:.0f}% of them the longer time",
            low=low.median_ms,
            high=high.median_ms,
            share=high.share_percent,
        )
        yield Mark(check="two-levels", text=text)


def _first(timing: Timing, info: SessionInfo) -> Iterator[Mark]:
    """That calls became slower, unless other processes took the processors from them."""
    spare = timing.work.spare
    if spare is not None and spare < SPARE and timing.work.processors < GIVEN * (info.threads or 0):
        return
    if timing.callers == 1 and not timing.levels and timing.median > SLOWED * timing.first:
        text = Message(
            "the first call took {first:.2f} ms, the timed calls {median:.2f} ms: something slowed them down",
            first=1000 * timing.first,
            median=1000 * timing.median,
        )
        yield Mark(check="first-call", text=text)


def _threads(timing: Timing, info: SessionInfo) -> Iterator[Mark]:
    """Processor time against wall time and the threads that are claimed.

    Other load takes processor time from a session and gives it none. The system says how long threads waited for a
    processor, which makes up for it; where it does not, too little counts only where processors had nothing to do.
    """
    work, threads = timing.work, info.threads
    if threads is None or work.wall < WALL_FROM:
        return
    used, wanted = work.processors, work.wanted
    known = wanted is not None or (work.spare is not None and work.spare >= SPARE)
    wanted = used if wanted is None else wanted
    # Of a single caller Python's own time is part of the one thread; of several it is beside them, and they wait for
    # each other.
    most, long = (wanted, True) if timing.callers == 1 else (used, timing.median >= CALL_FROM)
    if most > MORE_SHARE * threads + MORE and long:
        text = Message("{threads} threads are stated, but {used:.1f} CPUs were busy", threads=threads, used=used)
        yield Mark(check="threads", text=text)
    elif known and timing.callers == 1 and wanted < WAITING and timing.median >= STREAM_CALL_FROM:
        text = Message("for {share:.0f}% of the time of the calls no processor worked", share=100 * (1 - wanted))
        yield Mark(check="waiting", text=text)
    elif known and threads > 1 and timing.callers > 1 and wanted < ONE and timing.median >= STREAM_CALL_FROM:
        text = Message(
            "{streams} streams are stated, their calls do not overlap: {used:.1f} CPUs were busy",
            streams=info.streams,
            used=used,
        )
        yield Mark(check="threads", text=text)
    elif known and threads > 1 and wanted < ONE and timing.median >= CALL_FROM:
        text = Message("{threads} threads are stated, but {used:.1f} CPUs were busy", threads=threads, used=used)
        yield Mark(check="threads", text=text)
