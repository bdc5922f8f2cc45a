"""The drop from a reference to a candidate on the same images, and whether they are enough to judge it."""

from __future__ import annotations

from collections.abc import Sequence

from porter.machine.statistics import images_to_decide, mcnemar_exact, paired_difference
from porter.records.interval import Interval
from porter.records.paired import PairedComparison, PairedVerdict


def compare_paired(
    reference_right: Sequence[bool], candidate_right: Sequence[bool], max_drop: float
) -> PairedComparison:
    """Compare two methods, image by image, in the same order; `max_drop` is in percentage points.

    The verdict follows the 95% interval of the drop: all of it within `max_drop`, all of it beyond, or neither, in
    which case the images are too few. A measured drop within the allowed one is therefore no proof by itself.

    Raises ValueError where the lengths differ, there is no image, or `max_drop` is not a number from 0 to 100.
    """
    count = len(reference_right)
    if count == 0 or count != len(candidate_right):
        raise ValueError(f"{count} answers of the reference and {len(candidate_right)} of the candidate")
    if not 0 <= max_drop <= 100:
        raise ValueError(f"no drop in percentage points: {max_drop}")
    pairs = list(zip(map(bool, reference_right), map(bool, candidate_right), strict=True))
    lost = sum(before and not after for before, after in pairs)
    gained = sum(after and not before for before, after in pairs)
    interval = paired_difference(lost, gained, count)
    verdict = verdict_of(interval, max_drop)
    return PairedComparison(
        images=count,
        reference_hits=sum(before for before, _ in pairs),
        candidate_hits=sum(after for _, after in pairs),
        right_to_wrong=lost,
        wrong_to_right=gained,
        drop=100 * (lost - gained) / count,
        allowed=max_drop,
        interval=interval,
        p_value=mcnemar_exact(lost, gained),
        needed=images_to_decide(lost, gained, count, max_drop),
        verdict=verdict,
    )


def verdict_of(interval: Interval, max_drop: float) -> PairedVerdict:
    """By where the interval of a drop lies."""
    if interval.high <= max_drop:
        return PairedVerdict.WITHIN
    return PairedVerdict.BEYOND if interval.low > max_drop else PairedVerdict.UNDECIDED
