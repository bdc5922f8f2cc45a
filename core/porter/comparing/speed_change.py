"""Speed of two runs, each figure with its noise.

The times of an image, which are medians, are held against each other. They differ where their ratio is farther from 1
than

    noise = max(5%, sqrt(first spread^2 + second spread^2))

with the spread of a run its interquartile range over its median. The spread is that of single calls and is not divided
by the root of their number: calls of one process are no independent sample of what the next process will measure, since
clock, neighbours and placement in memory stay as they are for as long as it runs (T. Kalibera and R. Jones, "Rigorous
benchmarking in reasonable time", ISMM 2013). The 5% stand for what differs between two processes and no run of calls in
one can show (T. Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!", ASPLOS 2009).

A figure that is marked as unstable has no spread to rely on. Beside such a one a difference counts only where every
call of the one run was faster than every call of the other.
"""

from __future__ import annotations

import math

from porter.comparing.changed import changes
from porter.comparing.pairs import pairs
from porter.records.comparison import Change, ChangeOutcome, SpeedChange
from porter.records.performance import Performance
from porter.records.record import RunRecord

LEAST_NOISE_PERCENT = 5.0
NOT_STEADY = "unstable, and the calls of the two overlap"
NO_SPREAD = "the tool that measured gives no spread"


def compare_speed(first: RunRecord, second: RunRecord) -> tuple[SpeedChange, ...]:
    """Every artefact at every batch size that either run measured."""
    found = []
    for batch in sorted({one.batch for record in (first, second) for one in record.performance}):
        known = [_plain(record, batch) for record in (first, second)]
        for names in pairs(list(known[0]), list(known[1])):
            found.append(_change(names, batch, known[0].get(names[0]), known[1].get(names[1])))
    order = list(dict.fromkeys(one.artefact for record in (first, second) for one in record.performance))
    return tuple(sorted(found, key=lambda one: order.index(one.first_artefact or one.second_artefact)))


def _plain(record: RunRecord, batch: int) -> dict[str, Performance]:
    """The speed of each artefact at one batch size, as it was asked for: what a search found best comes after that."""
    return {one.artefact: one for one in reversed(record.performance) if one.batch == batch}


def noise_percent(first: Performance, second: Performance) -> float | None:
    """How far from 1 the ratio of the two must be to count; None where a spread is not there."""
    spreads = first.latency.spread_percent, second.latency.spread_percent
    if spreads[0] is None or spreads[1] is None:
        return None
    return max(LEAST_NOISE_PERCENT, math.hypot(spreads[0], spreads[1]))


def _change(names: tuple[str, str], batch: int, first: Performance | None, second: Performance | None) -> SpeedChange:
    ratio = noise = None
    conditions: tuple[Change, ...] = ()
    outcome, reason = ChangeOutcome.UNKNOWN, "measured in one run only"
    if first is not None and second is not None:
        ratio, noise = _ratio(first, second), noise_percent(first, second)
        conditions = changes(_conditions(first), _conditions(second))
        outcome, reason = _judged(first, second, ratio, noise)
    return SpeedChange(
        first_artefact=names[0],
        second_artefact=names[1],
        batch=batch,
        first_images_per_second=first.images_per_second if first else None,
        second_images_per_second=second.images_per_second if second else None,
        first_ms_per_image=first.ms_per_image if first else None,
        second_ms_per_image=second.ms_per_image if second else None,
        first_spread_percent=first.latency.spread_percent if first else None,
        second_spread_percent=second.latency.spread_percent if second else None,
        ratio=ratio,
        noise_percent=noise,
        conditions=conditions,
        reason=reason,
        outcome=outcome,
    )


def _ratio(first: Performance, second: Performance) -> float | None:
    """None where a time is none, as in a record that somebody edited."""
    usable = first.ms_per_image > 0 and second.ms_per_image > 0
    return first.ms_per_image / second.ms_per_image if usable else None


def _judged(
    first: Performance, second: Performance, ratio: float | None, noise: float | None
) -> tuple[ChangeOutcome, str]:
    if ratio is None:
        return ChangeOutcome.UNKNOWN, "a time of zero"
    if ratio == 1:
        return ChangeOutcome.SAME, ""
    faster = ChangeOutcome.BETTER if ratio > 1 else ChangeOutcome.WORSE
    if not (first.steady and second.steady):
        if first.steady is None or second.steady is None:
            return ChangeOutcome.UNKNOWN, NO_SPREAD
        return (faster, "") if _apart(first, second) else (ChangeOutcome.UNKNOWN, NOT_STEADY)
    if noise is None:
        return ChangeOutcome.UNKNOWN, NO_SPREAD
    # The same distance either way: 5% are a ratio of 1.05 or of 1/1.05.
    return (ChangeOutcome.WITHIN_NOISE if max(ratio, 1 / ratio) <= 1 + noise / 100 else faster), ""


def _apart(first: Performance, second: Performance) -> bool:
    """Whether every call of the one was faster than every call of the other."""
    ends = (first.latency.min_ms, first.latency.max_ms), (second.latency.min_ms, second.latency.max_ms)
    (low, high), (other_low, other_high) = ends
    if low is None or high is None or other_low is None or other_high is None:
        return False
    return high < other_low or other_high < low


def _conditions(one: Performance) -> dict[str, str]:
    session = one.session
    return {
        "runtime": f"{session.runtime} {session.version}",
        "precision": session.precision,
        "provider": session.provider,
        "threads": str(session.threads),
        "streams": str(session.streams),
        "fed with": str(one.input),
        "clock": one.clock or "wall time of calls",
    }
