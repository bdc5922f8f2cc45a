"""Two methods on the same images: what one gets right and the other does not."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.interval import Interval


class PairedVerdict(enum.StrEnum):
    """What the images tell about the drop, by where its interval lies."""

    WITHIN = "no drop beyond the allowed"
    """The whole interval is at or below the allowed drop."""
    BEYOND = "a drop beyond the allowed"
    """The whole interval is above the allowed drop."""
    UNDECIDED = "too few images to tell"
    """The allowed drop lies inside the interval."""


@dataclass(frozen=True, kw_only=True)
class ResampledDrop:
    """Reference against candidate on the same samples, by a metric that is no share of right ones (bootstrap); all in
    the metric's own unit."""

    images: int
    """Samples that both were scored on."""
    resamples: int
    """Sets of as many samples, drawn with replacement, that both were scored on once more."""
    drop: float
    """What the candidate loses; negative: it is better."""
    allowed: float
    """The largest drop allowed."""
    interval: Interval
    """Of the drop: the middle 95% of the resamples."""
    needed: int | None
    """About how many samples decide, if the interval narrows with their root; None: the drop is the allowed one."""
    verdict: PairedVerdict
    """What the samples tell."""


@dataclass(frozen=True, kw_only=True)
class PairedComparison:
    """Reference against candidate on the same images; points are percentage points of accuracy."""

    images: int
    """Images that both were scored on."""
    reference_hits: int
    """Images that the reference gets right."""
    candidate_hits: int
    """Images that the candidate gets right."""
    right_to_wrong: int
    """Images that only the reference gets right."""
    wrong_to_right: int
    """Images that only the candidate gets right."""
    drop: float
    """Accuracy of the reference minus that of the candidate, in points; negative: the candidate is better."""
    allowed: float
    """The largest drop allowed, in points."""
    interval: Interval
    """Of the drop, in points."""
    p_value: float
    """McNemar's exact test, two-sided: how often chance alone would make flips as lopsided as these."""
    needed: int | None
    """The least number of images that decides, at the shares of flips seen here: from there on the interval lies wholly
    within or wholly beyond the allowed drop. None: no number does, since the drop is the allowed one."""
    verdict: PairedVerdict
    """What the images tell."""
