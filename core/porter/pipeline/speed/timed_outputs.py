"""What timed calls return: rows against the reference at batch 1 before the timing, against themselves after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, joined, single, stacked, taken
from porter.contracts.runtime import Session
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.job.job import Job
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.session_checks.calls import at_once
from porter.pipeline.session_checks.in_session import InSession
from porter.pipeline.session_checks.rows_alike import (
    astray,
    lengths,
    rows_off,
    same_shapes,
    squared,
    too_many,
    typical_distance,
)
from porter.pipeline.session_checks.wrong_rows import named
from porter.pipeline.speed.cycle import Samples
from porter.records.coverage import SettingCheck

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Fed:
    """What timed calls are fed, the arrays of one sample each, and what the reference gives for it."""

    job: Job
    images: Samples

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """The reference's outputs, each image at batch 1."""
        run = partial(infer, self.job, self.job.reference)
        return joined([copied(run(single(image))) for image in self.images])

    @cached_property
    def apart(self) -> dict[str, float]:
        """How far apart the outputs of different images are, see `typical_distance`."""
        return {name: typical_distance(values) for name, values in self.rows.items()}

    def places(self, batch: int, start: int = 0) -> list[int]:
        """Which images make a batch, from the first again where there are too few."""
        return [(start + k) % len(self.images) for k in range(batch)]

    def batch(self, size: int, start: int = 0) -> dict[str, np.ndarray]:
        """One batch, N rows of every input."""
        return stacked([self.images[place] for place in self.places(size, start)])


class TimedOutputs:
    """The outputs of one session at one batch size."""

    def __init__(self, fed: Fed, session: Session, batch: int, callers: int, bound: Bound) -> None:
        self._fed, self._batch, self._callers, self._bound = fed, batch, callers, bound
        self._run = partial(infer, fed.job, session)
        self._fixed = session.info.batch is not None
        streams = session.info.streams
        self._checks = InSession(self._run, bound.tolerance, batch=batch, streams=streams, callers=callers)

    def before(self, first: Rows) -> None:
        """Look at the outputs of the first call; everything else runs in the session alone."""
        self._first = copied(first)
        places = self._fed.places(self._batch)
        wanted = taken(self._fed.rows, places)
        off = self._off(wanted, self._first)
        self._checks.add(len(off), int(off.sum()))
        if off.any():
            self._checks.found(named(wanted, self._first, off, self._bound.tolerance))
        rows = [self._batch - 1] if self._fixed else [0, self._batch - 1]
        if off.any():
            rows.append(int(off.argmax()))
        self._checks.alone(self._fed.batch(self._batch), self._first, rows)
        if self._callers > 1:
            other = self._fed.batch(self._batch, start=1)
            batches, outputs = [self._fed.batch(self._batch), other], [self._first, copied(self._run(other))]
            self._checks.found(*at_once(self._run, batches, outputs, self._bound.tolerance, self._callers))

    def after(self, last: Rows) -> SettingCheck:
        """Look at the outputs of the last timed call; returns what was found before and after."""
        self._checks.later(self._first, last)
        return self._checks.result()

    def _off(self, wanted: Rows, got: Rows) -> np.ndarray:
        """Which rows are wrong: beyond the tolerance where it binds, else farther off than any precision explains."""
        import numpy as np

        beyond = rows_off(wanted, got, self._bound.tolerance)
        if self._bound.binding or not same_shapes(wanted, got):
            return beyond
        found = np.zeros(len(beyond), dtype=bool)
        for name, values in wanted.items():
            errors = squared(values, got[name])
            broken = np.isnan(errors)
            found |= broken
            norms = lengths(values)
            found[~broken] |= astray(errors[~broken], norms[~broken], self._fed.apart[name])
        return found if too_many(int(found.sum()), len(found)) else found & False
