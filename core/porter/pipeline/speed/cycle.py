"""Timed calls that are not all the same: they cycle through two batches, and what they return last is kept."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, flat_pair, is_ragged, ragged, same_bits, stacked

if TYPE_CHECKING:
    import numpy as np

Samples = Sequence[Mapping[str, "np.ndarray"]]
"""The arrays of each sample by input name, without the batch."""
Run = Callable[[Rows], Rows]
UNSEEN = 7
"""Batches that no call has seen, tried where one seems to be answered from memory."""
SHORTER, SHORTER_BY = 5.0, 5e-5
"""How many times as long a call takes on a batch that was not seen, and how many seconds longer at least, to be sure
that the others are answered from memory."""
OTHERWISE = 0.1
"""Share of the values by which outputs of the same batch may move while calls are timed; a wrong one moves more."""


def batches_of(samples: Samples, size: int) -> tuple[Rows, Rows]:
    """Two batches that differ in each row where there are two samples: from the first and from the second one on, from
    the first again where there are too few. Of one sample alone the second is its mirror image."""
    first, second = (stacked([samples[(start + k) % len(samples)] for k in range(size)]) for start in (0, 1))
    if all(same_bits(first[name], second[name]) for name in first):
        return first, _mirrored(first, 1.0)
    return first, second


class Cycle:
    """A call that takes the next batch each time, from any thread. Nothing is copied while calls are timed."""

    def __init__(self, run: Run, batches: Sequence[Rows]) -> None:
        self._run, self.batches = run, batches
        self._numbers = itertools.count()
        self._first: dict[int, Rows] = {}
        self._last: dict[int, Rows] = {}
        self.first_seconds: dict[int, float] = {}
        """Wall time of the first call on each batch, by its place."""

    def __call__(self) -> object:
        place = next(self._numbers) % len(self.batches)
        if place in self._first:
            self._last[place] = found = self._run(self.batches[place])
            return found
        started = time.perf_counter()
        found = self._run(self.batches[place])
        self.first_seconds[place] = time.perf_counter() - started
        self._first[place] = copied(found)
        return found

    @property
    def last(self) -> Rows:
        """What the last call on the first batch returned."""
        return self._last.get(0) or self._first.get(0, {})

    def is_moved(self) -> bool:
        """Whether a batch gives other outputs after the timed calls than it gave before."""
        return any(_moved(self._first[place], last) for place, last in self._last.items())

    def is_deaf(self, reference: Sequence[Rows]) -> bool:
        """Whether all batches give the very same outputs, while those of `reference`, one for each batch, differ."""
        return len(self._first) > 1 and _all_same(list(self._first.values())) and not _all_same(reference)

    def remembers(self, median: float) -> float | None:
        """Seconds that a call takes on a batch that it has not seen, where that is far longer than `median`, the timed
        calls'; None: it is not, as far as the first call on the last batch tells, or more such batches do, each beside
        a call on one that it has seen."""
        if not self._longer(self.first_seconds.get(len(self.batches) - 1, 0.0), median):
            return None
        unseen, seen = [], []
        for number in range(UNSEEN):
            new = _unseen(self.batches[0], number)
            self._run(self.batches[0])  # threads of the session that fell asleep meanwhile wake up for this call
            unseen.append(self._seconds(new))
            seen.append(self._seconds(self.batches[0]))
        least = min(unseen)
        return least if self._longer(least, max(median, statistics.median(seen))) else None

    def _seconds(self, batch: Rows) -> float:
        started = time.perf_counter()
        self._run(batch)
        return time.perf_counter() - started

    @staticmethod
    def _longer(seconds: float, median: float) -> bool:
        return seconds > SHORTER * median and seconds - median > SHORTER_BY


def _unseen(batch: Rows, number: int) -> Rows:
    """A batch of the same kind that differs from it: mirrored, and in floats every value that is not 0."""
    return _mirrored(batch, 1 - 0.01 * (number + 1))


def _mirrored(batch: Rows, factor: float) -> Rows:
    """Every sample from its end, floats times `factor`."""
    found = {}
    for name, values in batch.items():
        rows = [_turned(row, factor) for row in values] if is_ragged(values) else []
        found[name] = ragged(rows) if rows else _turned(values, factor)
    return found


def _turned(values: np.ndarray, factor: float) -> np.ndarray:
    import numpy as np

    turned = values[..., ::-1]
    return np.ascontiguousarray(turned * values.dtype.type(factor) if values.dtype.kind == "f" else turned)


def _moved(first: Rows, last: Rows) -> bool:
    import numpy as np

    for name, before in first.items():
        after = last.get(name)
        if after is None or after.shape != before.shape:
            return True
        x, y = flat_pair(before, after)
        if x.dtype.kind != "f":
            if x.size and np.mean(x != y) > OTHERWISE:
                return True
            continue
        a, b = np.nan_to_num(x.astype(np.float64)), np.nan_to_num(y.astype(np.float64))
        if np.linalg.norm(b - a) > OTHERWISE * np.linalg.norm(a) + 1e-30:
            return True
    return False


def _all_same(outputs: Sequence[Rows]) -> bool:
    first = outputs[0]
    return all(name in one and same_bits(first[name], one[name]) for one in outputs[1:] for name in first)
