"""The gaps of all images of one pass, a few bytes each, and what they come to."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from porter.data.selection import evenly_spaced
from porter.pipeline.evaluation.gaps import Gap, distance
from porter.pipeline.evaluation.traces import Trace
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.session_checks.check_names import (
    BATCH_BEFORE,
    LAST_ROW,
    LATER_CALLS,
    NAN_ROWS,
    OUTPUTS,
    PLACE,
    SHUFFLED,
    SWALLOWED,
    finding,
)
from porter.pipeline.session_checks.rows_alike import CLASSES_APART, astray, too_many, typical_distance
from porter.records.coverage import Compared, OutputErrors, WorstImage
from porter.records.manifest import Item
from porter.records.message import Message
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np

SAMPLED = 32
"""Images whose outputs tell how far apart those of different images are."""
LISTED_PAIRS = 60
"""Pairs of lists whose distance is computed, each a matching of all their rows."""
WORST = 10
BY_CHANCE = 1e-6
"""Chance below which images that are off at one place of their batches are off for their place."""
FEW = 3
"""Images in a row, to the last, from which on a session is said to be wrong."""
CHECK_OF = {
    "non-finite": NAN_ROWS,
    "constant": SWALLOWED,
    "batch": SHUFFLED,
    "earlier": BATCH_BEFORE,
}
"""Kind of a gap: what a session gets wrong whose gaps are of that kind."""


@dataclass
class _Column:
    """One output."""

    errors: array[float] = field(default_factory=lambda: array("d"))
    scales: array[float] = field(default_factory=lambda: array("d"))
    squared: array[float] = field(default_factory=lambda: array("d"))
    norms: array[float] = field(default_factory=lambda: array("d"))
    kinds: dict[int, str] = field(default_factory=dict)
    """By row; only those that have one."""
    sample: list[Trace] = field(default_factory=list)
    values: int = 0
    whole: bool = True


class GapTable:
    """Filled image by image, in the order of the manifest, of `total` images."""

    def __init__(self, total: int) -> None:
        self._step = max(1, total // SAMPLED)
        self._columns: dict[str, _Column] = {}
        self._indices: array[int] = array("q")
        """Place in the manifest of each row."""
        self._last: set[int] = set()
        """Rows that were the last of their batch."""
        self._places: array[int] = array("q")
        """Of each row, which of its batch it was."""

    def add(self, index: int, gaps: Sequence[Gap], reference: Mapping[str, Trace], *, row: int, is_last: bool) -> None:
        """One image, which was `row` of its batch; without gaps it was not compared."""
        if index % self._step == 0:
            for name, trace in reference.items():
                self._column(name).sample.append(trace)
        if not gaps:
            return
        number = len(self._indices)
        self._indices.append(index)
        self._places.append(row)
        if is_last:
            self._last.add(number)
        for gap in gaps:
            column, trace = self._column(gap.output), reference[gap.output]
            column.errors.append(gap.error)
            column.scales.append(gap.scale)
            column.squared.append(gap.squared)
            column.norms.append(gap.norm)
            column.values, column.whole = len(trace.values) // 4, trace.whole
            if gap.kind:
                column.kinds[number] = gap.kind

    def compared(self, items: Sequence[Item], bound: Bound, batch: int) -> Compared:
        """What all of it comes to; `batch` images were answered at a time."""
        import numpy as np

        rows = len(self._indices)
        over, far, outputs = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool), []
        worst: list[tuple[float, int, WorstImage]] = []
        for name, column in self._columns.items():
            if len(column.errors) != rows or not rows:
                continue
            errors, allowed = np.array(column.errors), _allowed(column, bound)
            beyond = (errors < 0) | (errors > allowed)
            over |= beyond
            far |= _astray(column)
            outputs.append(_errors(name, column, errors, allowed, int(beyond.sum())))
            ratio = np.where(errors < 0, np.inf, errors / np.maximum(allowed, np.finfo(float).tiny))
            worst += [
                (float(ratio[row]), row, self._image(items, name, row, errors, allowed))
                for row in np.argsort(-ratio, kind="stable")[:WORST]
            ]
        told = (bound.binding and over.any()) or self._of_one_place(over, batch)
        wrong = over if told else far if too_many(int(far.sum()), rows) else far & False
        worst.sort(key=lambda one: (-one[0], one[1]))
        return Compared(
            images=rows,
            over=int(over.sum()),
            astray=int(far.sum()),
            outputs=tuple(outputs),
            worst=tuple(image for _, _, image in worst[:WORST]),
            tolerance=bound.tolerance,
            binding=bound.binding,
            findings=(self._named(wrong, batch),) if wrong.any() else (),
        )

    def _column(self, name: str) -> _Column:
        return self._columns.setdefault(name, _Column())

    def _image(self, items: Sequence[Item], name: str, row: int, errors: np.ndarray, allowed: np.ndarray) -> WorstImage:
        error = float(errors[row])
        return WorstImage(
            id=items[self._indices[row]].id,
            output=name,
            error=None if error < 0 else error,
            allowed=float(allowed[row]),
        )

    def _of_one_place(self, over: np.ndarray, batch: int) -> bool:
        """Whether images are beyond the tolerance at one place of their batches only, and not by chance: no precision
        knows of places."""
        places = [place for place, beyond in zip(self._places, over, strict=True) if beyond]
        return len(set(places)) == 1 and batch > 2 and (1 / batch) ** (len(places) - 1) < BY_CHANCE

    def _named(self, wrong: np.ndarray, batch: int) -> SessionFinding:
        """What the images that are wrong have in common."""
        import numpy as np

        rows, count = [int(row) for row in np.flatnonzero(wrong)], len(wrong)
        figures = {"wrong": len(rows), "images": count}
        detail = Message("{wrong} of {images} images", **figures)
        kinds = Counter(kind for column in self._columns.values() for row, kind in column.kinds.items() if wrong[row])
        if kinds and (most := kinds.most_common(1)[0])[1] * 2 >= len(rows) and most[0] in CHECK_OF:
            return finding(CHECK_OF[most[0]], detail)
        if batch > 1 and self._last.issuperset(rows):
            return finding(LAST_ROW, Message("{wrong} of {images} images, each the last of its batch", **figures))
        if batch > 2 and len(rows) >= FEW and len(at := {self._places[row] for row in rows}) == 1:
            where = {"place": at.pop() + 1, **figures}
            return finding(PLACE, Message("{wrong} of {images} images, each number {place} of its batch", **where))
        if rows[0] > 0 and len(rows) >= FEW and rows == list(range(rows[0], count)):
            return finding(LATER_CALLS, Message("every image from number {first} on", first=self._indices[rows[0]] + 1))
        return finding(OUTPUTS, detail)


def _allowed(column: _Column, bound: Bound) -> np.ndarray:
    """The bound on the error of each image: by its own largest value, or the median of all where that is more."""
    import numpy as np

    scales = np.array(column.scales)
    known = scales[scales >= 0]
    typical = float(np.median(known)) if len(known) else 0.0
    allowed: np.ndarray = bound.tolerance.atol + bound.tolerance.rtol * np.maximum(scales, typical)
    return np.where(scales < 0, CLASSES_APART, allowed)


def _astray(column: _Column) -> np.ndarray:
    """Images that no precision explains; what has no error because its shape or values are broken is as well."""
    import numpy as np

    apart = _apart(column.sample)
    squared = np.array(column.squared)
    broken = squared < 0
    found: np.ndarray = broken.copy()
    found[~broken] = astray(squared[~broken], np.array(column.norms)[~broken], apart)
    return found


def _apart(sample: Sequence[Trace]) -> float:
    """The typical squared distance between two images."""
    import numpy as np

    if sample and sample[0].listed:
        pairs = [(a, b) for n, a in enumerate(sample) for b in sample[n + 1 :]]
        found = [distance(*pairs[place]) for place in evenly_spaced(len(pairs), LISTED_PAIRS)]  # each is a matching
        return float(np.median(found)) if found else 0.0
    rows = [trace.array for trace in sample if trace.shape == sample[0].shape]
    return typical_distance(np.stack(rows)) if len(rows) > 1 else 0.0


def _errors(name: str, column: _Column, errors: np.ndarray, allowed: np.ndarray, over: int) -> OutputErrors:
    import numpy as np

    place = int(np.argmax(errors / np.maximum(allowed, np.finfo(float).tiny)))
    known = float(errors[place]) >= 0
    return OutputErrors(
        output=name,
        images=len(errors),
        over=over,
        max_abs_error=float(errors[place]) if known else None,
        allowed=float(allowed[place]) if known else None,
        values=column.values,
        whole=column.whole,
    )
