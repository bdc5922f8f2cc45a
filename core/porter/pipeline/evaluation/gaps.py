"""The gap of one output of one image: how far an artefact's trace lies from the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from porter.contracts.rows import matched
from porter.pipeline.evaluation.traces import Trace
from porter.pipeline.session_checks.rows_alike import FEW

if TYPE_CHECKING:
    import numpy as np

TYPICAL = 0.6745
"""Median of the absolute value of a normal variable of variance 1."""
STANDS_OUT = 6.0
"""How many times what the other sums suggest one must be, to be put down to a single value."""


class Gap(msgspec.Struct, frozen=True, array_like=True):
    """One output of one image, as the journal has it."""

    output: str
    """Its name."""
    error: float
    """max|artefact - reference|, of sums the least that it can be; of whole numbers the share that differs. -1: shapes
    differ, or values are not finite."""
    scale: float
    """max|reference|; -1: of whole numbers, of which a share counts."""
    squared: float
    """Sum of the squared differences, of the values or the sums; -1 as above."""
    norm: float
    """Sum of the squares of the reference's."""
    kind: str = ""
    """`shape`, `non-finite` or `constant` where that is what the artefact's is, `batch` or `earlier` where it is that
    of another image of the batch, or of an earlier one; else empty."""


def gaps_between(reference: Mapping[str, Trace], artefact: Mapping[str, Trace]) -> tuple[Gap, ...]:
    """Every output of the reference; none where one side has no outputs at all."""
    if not artefact:
        return ()
    return tuple(_gap(name, trace, artefact.get(name)) for name, trace in reference.items())


def alike(a: Trace, b: Trace) -> bool:
    """Whether two traces can be compared: of one shape, or two lists of rows of one shape."""
    return a.shape[1:] == b.shape[1:] if a.listed and b.listed else a.shape == b.shape


def pair(a: Trace, b: Trace) -> tuple[np.ndarray, np.ndarray]:
    """The values of two traces, flat, each beside its own; the rows of lists as `matched` has them."""
    if not a.listed:
        return a.array, b.array
    x, y = matched(a.array.reshape(a.shape), b.array.reshape(b.shape))
    return x.ravel(), y.ravel()


def distance(a: Trace, b: Trace) -> float:
    """Squared distance of two traces of one shape; of whole numbers that are kept whole, how many differ."""
    import numpy as np

    x, y = pair(a, b)
    if a.counted and b.counted and a.whole and not a.listed:
        return float(np.count_nonzero(x != y))
    difference = x.astype(np.float64) - y
    return float(difference @ difference)


def _gap(name: str, wanted: Trace, got: Trace | None) -> Gap:
    import numpy as np

    if got is None or not alike(wanted, got) or got.whole != wanted.whole:
        return Gap(name, -1.0, wanted.largest, -1.0, 0.0, "shape")
    if got.nonfinite and not wanted.nonfinite:
        return Gap(name, -1.0, wanted.largest, -1.0, 0.0, "non-finite")
    x, y = pair(wanted, got)
    squared = distance(wanted, got)
    kind = "constant" if got.whole and _is_constant(y) and not _is_constant(x) else ""
    if wanted.counted and got.counted and wanted.whole and not wanted.listed:
        share = squared / max(1, wanted.size)
        return Gap(name, share if wanted.size >= FEW else 0.0, -1.0, squared, float(wanted.size), kind)
    norm = float(np.square(x, dtype=np.float64).sum())
    return Gap(name, _error(wanted, got, x, y), wanted.largest, squared, norm, kind)


def _error(wanted: Trace, got: Trace, x: np.ndarray, y: np.ndarray) -> float:
    import numpy as np

    difference = np.abs(y.astype(np.float64) - x)
    largest = float(difference.max(initial=0.0))
    if wanted.whole:
        return largest
    root = float(np.sqrt((difference * difference).sum() / wanted.size))
    alone = largest - STANDS_OUT * float(np.median(difference)) / TYPICAL
    return max(root, alone, abs(got.largest - wanted.largest))


def _is_constant(values: np.ndarray) -> bool:
    return bool((values == values[:1]).all())
