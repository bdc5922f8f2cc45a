"""Statistics behind the figures, each with its source."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

from porter.records.interval import Interval
from porter.records.message import Message

Z95 = 1.959963984540054
"""97.5% quantile of the standard normal distribution: two-sided 95%."""


def wilson(hits: int, count: int) -> Interval:
    """95% Wilson score interval of a proportion, in percent.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927),
    equation without continuity correction. Raises ValueError unless 0 <= hits <= count and count > 0.
    """
    if count <= 0 or not 0 <= hits <= count:
        raise ValueError(f"no proportion: {hits} of {count}")
    share, z2 = hits / count, Z95 * Z95
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count * count))
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == count else min(1.0, centre + half)
    return Interval(low=100 * low, high=100 * high, confidence_percent=95.0, method=Message("Wilson score (1927)"))


def binomial_tail(hits: int, count: int, probability: float) -> float:
    """P(X >= hits) for X binomial(count, probability), summed exactly in logarithms."""
    if hits <= 0:
        return 1.0
    if hits > count:
        return 0.0
    if probability <= 0 or probability >= 1:
        return 0.0 if probability <= 0 else 1.0
    log_p, log_q = math.log(probability), math.log1p(-probability)
    logs = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * log_p + (count - k) * log_q
        for k in range(hits, count + 1)
    ]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in logs))


def mcnemar_exact(first_only: int, second_only: int) -> float:
    """Two-sided p of McNemar's exact test, from the pairs on which two methods differ.

    Under the null hypothesis `first_only` is binomial with n = first_only + second_only and p = 1/2; the smaller tail
    is doubled, and p is 1 where no pair differs. Source: Q. McNemar, "Note on the sampling error of the difference
    between correlated proportions or percentages", Psychometrika 12 (1947) 153-157; the exact form as in M. W.
    Fagerland, S. Lydersen and P. Laake, BMC Medical Research Methodology 13 (2013) 91.
    """
    if min(first_only, second_only) < 0:
        raise ValueError(f"no counts of pairs: {first_only} and {second_only}")
    return min(1.0, 2 * binomial_tail(max(first_only, second_only), first_only + second_only, 0.5))


def paired_difference(first_only: int, second_only: int, count: int) -> Interval:
    """95% interval of the first proportion minus the second, on the same `count` items, in percentage points.

    `first_only` items are hits of the first alone, `second_only` of the second alone. The limits are the differences
    that Tango's score test just rejects; at a difference of zero that test is McNemar's without continuity correction,
    so that interval and test agree. Source: T. Tango, "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 17 (1998) 891-908. Raises ValueError unless the
    counts are possible.
    """
    if count <= 0 or min(first_only, second_only) < 0 or first_only + second_only > count:
        raise ValueError(f"no paired proportions: {first_only} and {second_only} of {count}")
    high = _tango_upper(first_only, second_only, count)
    low = -_tango_upper(second_only, first_only, count)
    return Interval(low=100 * low, high=100 * high, confidence_percent=95.0, method=Message("Tango score (1998)"))


def interval_of_difference(
    first: float, first_interval: Interval, second: float, second_interval: Interval
) -> Interval:
    """Interval of `second` - `first`, two independent figures, from the interval of each; in their own unit.

    With d the difference, the limits are d - sqrt((second - its low)^2 + (first's high - first)^2) and
    d + sqrt((second's high - second)^2 + (first - its low)^2). Source: G. Y. Zou and A. Donner, "Construction of
    confidence limits about effect measures: a general approach", Statistics in Medicine 27 (2008) 1693-1702; for Wilson
    intervals of two proportions it is method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890. Of figures
    on the same images it is too wide rather than too narrow, as long as these rise and fall together.
    """
    difference = second - first
    low = difference - math.hypot(second - second_interval.low, first_interval.high - first)
    high = difference + math.hypot(second_interval.high - second, first - first_interval.low)
    confidence = min(first_interval.confidence_percent, second_interval.confidence_percent)
    return Interval(low=low, high=high, confidence_percent=confidence, method="Zou and Donner (2008)")


def _tango_upper(first_only: float, second_only: float, count: int) -> float:
    """The largest difference (as a share) that the score test does not reject, by bisection."""
    low, high = (first_only - second_only) / count, 1.0
    for _ in range(60):  # the width, at most 2, ends below the spacing of floats near 1
        middle = (low + high) / 2
        excess = count * middle - (first_only - second_only)
        if excess < Z95 * math.sqrt(count * _tango_variance(middle, first_only, second_only, count)):
            low = middle
        else:
            high = middle
    return high


def _tango_variance(difference: float, first_only: float, second_only: float, count: int) -> float:
    """Variance of one pair's difference where the true one is `difference`, at its maximum-likelihood estimate."""
    a = 2 * count
    b = (2 * count - first_only + second_only) * difference - first_only - second_only
    c = -second_only * difference * (1 - difference)
    second_share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    return max(0.0, 2 * second_share + difference * (1 - difference))


def images_to_decide(first_only: int, second_only: int, count: int, allowed: float) -> int | None:
    """The least number of items from which the interval of `paired_difference` lies wholly on one side of `allowed`
    percentage points, if the two methods go on to differ on the same shares of them.

    None where the difference seen is `allowed` itself: its interval holds it at any number.
    """
    bound, seen = allowed / 100, (first_only - second_only) / count
    if math.isclose(seen, bound, abs_tol=1e-12):
        return None

    def decides(items: int) -> bool:
        lost, gained = first_only / count * items, second_only / count * items
        if seen < bound:
            return _tango_upper(lost, gained, items) <= bound
        return -_tango_upper(gained, lost, items) > bound

    high = 1
    while not decides(high):
        high *= 2
    return bisect.bisect_left(range(high + 1), True, lo=max(1, high // 2), key=decides)


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of a sorted sample by linear interpolation (Hyndman and Fan's type 7, numpy's default)."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
