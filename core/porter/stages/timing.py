"""timing: the times of single calls to figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from porter.records.performance import Latency
from porter.statistics import quantile

STEADY_WITHIN = 0.10
"""The medians of the two halves of the calls, and their mean and median, may differ by this share."""
P90_FROM, P99_FROM = 10, 100
"""Calls that a quantile needs: below, it would be the maximum under another name."""


def latency_of(times: Sequence[float]) -> Latency:
    """Summary of call times (seconds), in milliseconds."""
    ordered = sorted(1000 * t for t in times)
    median = quantile(ordered, 0.5)
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


def is_steady(times: Sequence[float]) -> bool:
    """Whether the medians of the two halves of the calls, and the mean and the median of all, agree within 10%."""
    half = len(times) // 2
    early, late = statistics.median(times[:half]), statistics.median(times[half:])
    return _agree(early, late) and _agree(statistics.fmean(times), statistics.median(times))


def _agree(a: float, b: float) -> bool:
    return abs(a - b) <= STEADY_WITHIN * min(a, b)
