"""Timed calls that are not all the same: they cycle through two batches, and what they return last is kept."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Outputs = Mapping[str, "np.ndarray"]
Run = Callable[["np.ndarray"], Outputs]
UNSEEN = 7
"""Batches that no call has seen, tried where one seems to be answered from memory."""
SHORTER, SHORTER_BY = 5.0, 5e-5
"""How many times as long a call takes on a batch that was not seen, and how many seconds longer at least, to be sure
that the others are answered from memory."""
OTHERWISE = 0.1
"""Share of the values by which outputs of the same batch may move while calls are timed; a wrong one moves more."""


def batches_of(images: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Two batches that differ in each row where there are two images, float32 N×C×H×W: from the first image and from
    the second one on, from the first again where there are too few. Of one image alone the second is its mirror image.
    """
    import numpy as np

    first, second = (np.stack([images[(start + k) % len(images)] for k in range(size)]) for start in (0, 1))
    if np.array_equal(first, second):
        second = np.ascontiguousarray(first[..., ::-1])
    return first, second


class Cycle:
    """A call that takes the next batch each time, from any thread. Nothing is copied while calls are timed."""

    def __init__(self, run: Run, batches: Sequence[np.ndarray]) -> None:
        self._run, self.batches = run, batches
        self._numbers = itertools.count()
        self._first: dict[int, Outputs] = {}
        self._last: dict[int, Outputs] = {}
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
        self._first[place] = {name: values.copy() for name, values in found.items()}
        return found

    @property
    def last(self) -> Outputs:
        """What the last call on the first batch returned."""
        return self._last.get(0) or self._first.get(0, {})

    def is_moved(self) -> bool:
        """Whether a batch gives other outputs after the timed calls than it gave before."""
        return any(_moved(self._first[place], last) for place, last in self._last.items())

    def is_deaf(self, reference: Sequence[Outputs]) -> bool:
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
            unseen.append(self._seconds(_unseen(self.batches[0], number)))
            seen.append(self._seconds(self.batches[0]))
        least = min(unseen)
        return least if self._longer(least, max(median, statistics.median(seen))) else None

    def _seconds(self, batch: np.ndarray) -> float:
        started = time.perf_counter()
        self._run(batch)
        return time.perf_counter() - started

    @staticmethod
    def _longer(seconds: float, median: float) -> bool:
        return seconds > SHORTER * median and seconds - median > SHORTER_BY


def _unseen(batch: np.ndarray, number: int) -> np.ndarray:
    """A batch of the same kind that differs from it in every value that is not 0."""
    import numpy as np

    found: np.ndarray = batch[..., ::-1] * np.float32(1 - 0.01 * (number + 1))
    return np.ascontiguousarray(found)


def _moved(first: Outputs, last: Outputs) -> bool:
    import numpy as np

    for name, before in first.items():
        after = last.get(name)
        if after is None or after.shape != before.shape:
            return True
        if before.dtype.kind != "f":
            if np.mean(before != after) > OTHERWISE:
                return True
            continue
        a, b = np.nan_to_num(before.astype(np.float64)), np.nan_to_num(after.astype(np.float64))
        if np.linalg.norm(b - a) > OTHERWISE * np.linalg.norm(a) + 1e-30:
            return True
    return False


def _all_same(outputs: Sequence[Outputs]) -> bool:
    import numpy as np

    first = outputs[0]
    return all(name in one and np.array_equal(first[name], one[name]) for one in outputs[1:] for name in first)
