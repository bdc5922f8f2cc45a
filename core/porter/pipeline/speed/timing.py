"""timing: calls timed, and their times to figures."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

from porter.machine.statistics import quantile
from porter.machine.work import waited_by_thread
from porter.pipeline.speed.call_levels import two_levels
from porter.records.performance import Latency

K = TypeVar("K")

STEADY_WITHIN = 0.10
"""The medians of the two halves of the calls, and their mean and median, may differ by this share."""
P90_FROM, P99_FROM = 10, 100
"""Calls that a quantile needs: below, it would be the maximum under another name."""
WINDOW_SECONDS = 0.1
"""Length of a window of the warm-up, at least one call from each thread; shorter where less is timed after it."""
WINDOWS = 3
"""Windows in a row that must agree before anything is timed."""
SETTLED_WITHIN = 0.05
"""How far apart their medians may be."""


@dataclass(frozen=True)
class Timed:
    """The times of calls, from one thread or from several at once."""

    seconds: tuple[float, ...]
    """Wall time of each call."""
    wall: float
    """From the first call until the first caller stops: after that not all are at work."""
    done: float
    """Calls made in that time; one that ended later counts by its share."""
    waited: float = 0.0
    """Seconds that callers which are gone by now waited for a processor, all together."""

    @property
    def calls(self) -> int:
        return len(self.seconds)

    @property
    def rate(self) -> float:
        """Calls a second while all callers are at work."""
        return self.done / self.wall


@dataclass(frozen=True)
class WarmUp:
    """What the warm-up came to."""

    calls: int
    spread: float
    """The largest median of the last windows over the smallest, less one."""
    settled: bool


def timed(call: Callable[[], object], seconds: float, *, least: int = 1, callers: int = 1) -> Timed:
    """Call again and again, from `callers` threads at once, until `seconds` have passed.

    There are at least `least` calls, and one from each thread.
    """
    if callers == 1:
        return summed([_repeat(call, seconds, least)])
    start = threading.Barrier(callers)

    def work() -> tuple[list[Span], float]:
        start.wait()
        before = waited_by_thread()
        return _repeat(call, seconds, -(-least // callers)), waited_by_thread() - before

    with ThreadPoolExecutor(callers, thread_name_prefix="porter-caller") as pool:
        running = [pool.submit(work) for _ in range(callers)]
        found = [one.result() for one in running]
    return replace(summed([spans for spans, _ in found]), waited=sum(waited for _, waited in found))


def in_turns(
    calls: Mapping[K, tuple[Callable[[], object], int]],
    turns: int,
    seconds: float,
    *,
    least: int = 1,
    advance: Callable[[int], object] = lambda _n: None,
) -> dict[K, list[Timed]]:
    """Each call, made from as many threads as its number says, timed once a turn, so that whatever the machine does
    meanwhile happens to all of them. The order rotates, and a third of `seconds` goes before to warm up."""
    keys = list(calls)
    found: dict[K, list[Timed]] = {key: [] for key in keys}
    for turn in range(turns):
        for place in range(len(keys)):
            key = keys[(turn + place) % len(keys)]
            call, callers = calls[key]
            timed(call, seconds / 3, callers=callers)
            found[key].append(timed(call, seconds, least=least, callers=callers))
        advance(1)
    return found


def warm_up(call: Callable[[], object], limit: float, *, callers: int = 1, window: float = WINDOW_SECONDS) -> WarmUp:
    """Call until the medians of three windows (seconds) in a row agree within 5%, or `limit` seconds have passed."""
    begun = time.perf_counter()
    medians: list[float] = []
    calls = 0
    while True:
        found = timed(call, window, callers=callers)
        calls += found.calls
        medians.append(statistics.median(found.seconds))
        last = medians[-WINDOWS:]
        spread = max(last) / min(last) - 1
        settled = len(last) == WINDOWS and spread <= SETTLED_WITHIN
        if settled or (len(last) == WINDOWS and time.perf_counter() - begun >= limit):
            return WarmUp(calls, spread, settled)


Span = tuple[float, float]
"""Start and end of a call."""


def _repeat(call: Callable[[], object], seconds: float, least: int) -> list[Span]:
    spans: list[Span] = []
    deadline = time.perf_counter() + seconds
    while len(spans) < max(least, 1) or time.perf_counter() < deadline:
        started = time.perf_counter()
        call()
        spans.append((started, time.perf_counter()))
    return spans


def summed(callers: Sequence[Sequence[Span]]) -> Timed:
    """The spans of several callers at once, none of them empty, as one."""
    begun, until = min(spans[0][0] for spans in callers), min(spans[-1][1] for spans in callers)
    spans = [span for one in callers for span in one]
    done = sum(1.0 if end <= until else (until - start) / (end - start) for start, end in spans if start < until)
    return Timed(tuple(end - start for start, end in spans), until - begun, done)


def latency_of(times: Sequence[float]) -> Latency:
    """Summary of call times (seconds), in milliseconds."""
    ordered = sorted(1000 * t for t in times)
    median = 1000 * median_of(times)
    return Latency(
        median_ms=median,
        mean_ms=statistics.fmean(ordered),
        min_ms=ordered[0],
        max_ms=ordered[-1],
        stdev_ms=statistics.stdev(ordered) if len(ordered) > 1 else 0.0,
        p90_ms=quantile(ordered, 0.90) if len(ordered) >= P90_FROM else None,
        p99_ms=quantile(ordered, 0.99) if len(ordered) >= P99_FROM else None,
        spread_percent=100 * (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / median,
    )


def median_of(times: Sequence[float]) -> float:
    """The median; where calls lie at two levels, the upper of the two times in the middle, not what is between."""
    return statistics.median_high(times) if two_levels(times) else statistics.median(times)


def is_steady(times: Sequence[float]) -> bool:
    """Whether the medians of the two halves of the calls, and the mean and the median of all, agree within 10%, and
    all calls lie at one level."""
    half = len(times) // 2
    early, late = statistics.median(times[:half]), statistics.median(times[half:])
    mean, median = statistics.fmean(times), statistics.median(times)
    return _agree(early, late) and _agree(mean, median) and not two_levels(times)


def _agree(a: float, b: float) -> bool:
    return abs(a - b) <= STEADY_WITHIN * min(a, b)
