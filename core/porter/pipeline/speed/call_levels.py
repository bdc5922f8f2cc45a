"""Call times that lie at two levels: a median between them would be a time that no call took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from porter.machine.statistics import quantile
from porter.records.performance import Level

if TYPE_CHECKING:
    import numpy as np

FEWEST = 20
"""Calls from which two levels can be told."""
LEAST_SHARE = 0.15
"""Of the calls, at either level: below, the few are strays."""
APART = 1.3
"""The median of the upper level over that of the lower one."""
EMPTY = 0.5
"""Share of the way from one median to the other that nearly no call lies in (a tenth of each level at most)."""


def two_levels(times: Sequence[float]) -> tuple[Level, ...]:
    """The two levels of call times (seconds), the lower one first; empty where there is but one."""
    import numpy as np

    if len(times) < FEWEST:
        return ()
    ordered = np.sort(np.asarray(times, np.float64))
    place = _split(np.log(np.maximum(ordered, 1e-9)))
    low, high = ordered[:place].tolist(), ordered[place:].tolist()
    if min(len(low), len(high)) < LEAST_SHARE * len(ordered):
        return ()
    below, above = quantile(low, 0.5), quantile(high, 0.5)
    if above < APART * below or quantile(high, 0.1) - quantile(low, 0.9) < EMPTY * (above - below):
        return ()
    return tuple(
        Level(median_ms=1000 * median, share_percent=100 * len(part) / len(ordered))
        for median, part in ((below, low), (above, high))
    )


def _split(ordered: np.ndarray) -> int:
    """Where to part sorted values in two so that the parts lie farthest apart (Otsu's criterion)."""
    import numpy as np

    count = len(ordered)
    lower = np.arange(1, count)
    sums = np.cumsum(ordered)
    first, second = sums[:-1] / lower, (sums[-1] - sums[:-1]) / (count - lower)
    return int(np.argmax(lower * (count - lower) * np.square(second - first))) + 1
