"""Statistics behind the figures, each with its source."""

from __future__ import annotations

import math
from collections.abc import Sequence

from porter.records.evaluation import Interval

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
    return Interval(low=100 * low, high=100 * high, confidence_percent=95.0, method="Wilson score (1927)")


def binomial_tail(hits: int, count: int, probability: float) -> float:
    """P(X >= hits) for X binomial(count, probability), summed exactly in logarithms."""
    if hits <= 0:
        return 1.0
    if probability <= 0 or probability >= 1:
        return 0.0 if probability <= 0 else 1.0
    log_p, log_q = math.log(probability), math.log1p(-probability)
    logs = [
        math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) + k * log_p + (count - k) * log_q
        for k in range(hits, count + 1)
    ]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in logs))


def quantile(ordered: Sequence[float], share: float) -> float:
    """Quantile of an ascending sample by linear interpolation (Hyndman and Fan's type 7, numpy's default)."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
