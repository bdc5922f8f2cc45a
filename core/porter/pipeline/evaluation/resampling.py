"""How sure a metric is that is no share of right answers: the bootstrap over samples, the same for every evaluation.

Source: B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13, percentile intervals. With
the same resamples for the reference and an artefact, the differences give the interval of the drop.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from porter.contracts.task import Scorer
from porter.machine.statistics import images_to_decide, paired_difference, quantile
from porter.pipeline.evaluation.pairing import verdict_of
from porter.records.interval import Interval
from porter.records.message import Message
from porter.records.paired import ResampledDrop

RESAMPLES = 300
"""The ends of a 95% interval then lie between the seventh and the eighth of them."""
SEED = 0
FEW = 10
"""Samples whose score differs, below which resamples of them say too little."""


def resampled(scorer: Scorer, samples: int) -> tuple[float, ...]:
    """The gate's metric on each resample; empty where the task has no such figure."""
    import numpy as np

    if not samples or scorer.resampled(np.ones(samples, np.int64)) is None:
        return ()
    generator = np.random.default_rng(SEED)
    found = []
    for _ in range(RESAMPLES):
        value = scorer.resampled(np.bincount(generator.integers(0, samples, samples), minlength=samples))
        if value is None or not math.isfinite(value):
            return ()
        found.append(float(value))
    return tuple(found)


def interval_of(values: Sequence[float]) -> Interval | None:
    """The middle 95% of resampled figures; None without any."""
    if not values:
        return None
    ordered = sorted(values)
    return Interval(
        low=quantile(ordered, 0.025),
        high=quantile(ordered, 0.975),
        confidence_percent=95.0,
        method=Message("bootstrap over samples, {count} resamples", count=len(values)),
    )


def resampled_drop(
    reference: Sequence[float], candidate: Sequence[float], drop: float, samples: int, allowed: float, *, higher: bool
) -> ResampledDrop | None:
    """The drop of a candidate with its interval; `higher`: whether a larger figure is better. None where one of the two
    has no resamples."""
    if not reference or len(reference) != len(candidate):
        return None
    sign = 1 if higher else -1
    interval = interval_of([sign * (a - b) for a, b in zip(reference, candidate, strict=True)])
    assert interval is not None
    half, room = (interval.high - interval.low) / 2, abs(allowed - drop)
    return ResampledDrop(
        images=samples,
        resamples=len(reference),
        drop=drop,
        allowed=allowed,
        interval=interval,
        needed=math.ceil(samples * (half / room) ** 2) if room else None,
        verdict=verdict_of(interval, allowed),
    )


def with_few_changes(found: ResampledDrop, lost: int, gained: int) -> ResampledDrop:
    """The drop of a metric in percent, where hardly a sample's score changed: what did not change in a few samples may
    do so in others, of which resamples know nothing. Its interval is then that of the share of samples that change, as
    if each lost all of its score (`paired_difference`), where that is wider.
    """
    if lost + gained >= FEW or not found.images:
        return found
    share = paired_difference(lost, gained, found.images)
    low, high = min(found.interval.low, share.low), max(found.interval.high, share.high)
    few = Message("of the share of samples that change, {method}", method=share.method)
    interval = replace(share, low=low, high=high, method=few)
    return replace(
        found,
        interval=interval,
        needed=images_to_decide(lost, gained, found.images, min(found.allowed, 100.0)),
        verdict=verdict_of(interval, found.allowed),
    )
