"""Whether rows of outputs are the same: beyond a tolerance, or so far off that no precision explains it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from porter.contracts.rows import Rows, flat_pair
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

Run: TypeAlias = "Callable[[Rows], Rows]"
"""Runs one batch in the session that is checked."""

CLASSES_APART = 0.01
"""Share of the values of an output of whole numbers (a class for each pixel) that may differ: rounding decides near
ties, and each of those is a whole class off."""
FEW = 100
"""Of an output with fewer values than this, such a share would be less than one."""
HALF = 0.5
"""Share of the squared distance between the outputs of two images, beyond which an output is astray. Its error is then
as large as the spread of all images around their mean, so that it says nothing of its image."""
SHARE = 0.1
"""Share of the squared length of a row's outputs, below which no error is astray."""
TOLERATED = 0.005
"""Share of all rows that may be astray."""
TIMES = 4.0
"""How many times the error of most rows a single row's must be to be astray alone."""


def same_shapes(wanted: Rows, got: Rows) -> bool:
    """Whether every output is there, in its shape."""
    return all(name in got and got[name].shape == values.shape for name, values in wanted.items())


def rows_off(wanted: Rows, got: Rows, tolerance: Tolerance) -> np.ndarray:
    """Which rows are not `wanted`'s: bool N. One that has no finite value where `wanted` has, or another shape, is not.

    The bound is `atol + rtol × max|wanted|` over all rows of an output.
    """
    import numpy as np

    count = len(next(iter(wanted.values())))
    off = np.zeros(count, dtype=bool)
    if not same_shapes(wanted, got):
        return np.ones(count, dtype=bool)
    for name, values in wanted.items():
        off |= _off(*flat_pair(values, got[name]), tolerance)
    return off


def _off(a: np.ndarray, b: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    import numpy as np

    if not a.size:
        return np.zeros(len(a), dtype=bool)
    if a.dtype.kind in "iub" and b.dtype.kind in "iub":
        share: np.ndarray = (a != b).mean(axis=1)
        return share > (CLASSES_APART if a.shape[1] >= FEW else 0.0)
    finite = np.isfinite(a)
    scale = float(np.abs(a[finite]).max(initial=0.0))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(b.astype(np.float64) - a.astype(np.float64))
        within = error <= tolerance.atol + tolerance.rtol * scale
    off: np.ndarray = (finite & ~within).any(axis=1)
    return off


def astray(errors: np.ndarray, norms: np.ndarray, apart: float) -> np.ndarray:
    """Which rows are farther off than any precision explains: bool N.

    `errors` are the squared distances of the rows from what they should be, `norms` the squared lengths of that,
    `apart` the typical squared distance between two images. All rows are astray where the typical error is beyond
    `HALF` of that; else a row that is beyond it, and whose error is `TIMES` that of the lower quarter: precision is
    lost everywhere alike, and a wrong row stands out. An error below `SHARE` of the row itself is none: where all
    images are alike, rounding can be larger than what tells them apart.
    """
    import numpy as np

    if not len(errors) or apart <= 0.0:  # images that one answer fits: nothing can be told apart
        return np.zeros(len(errors), dtype=bool)
    beyond: np.ndarray = ~((errors <= HALF * apart) | (errors <= SHARE * norms))
    if float(np.median(errors)) > HALF * apart:
        return beyond
    few = float(np.quantile(errors, 0.25))
    alone: np.ndarray = beyond & ~(errors <= TIMES**2 * few)
    return alone


def too_many(count: int, rows: int) -> bool:
    """Whether so many rows astray are a fault: of thousands, precision alone may lose one."""
    return count >= max(min(2, rows), TOLERATED * rows)


def typical_distance(rows: np.ndarray) -> float:
    """Median of the squared distances between any two of N×… rows; 0 where there are none."""
    import numpy as np

    found = [squared(rows[:-step], rows[step:]) for step in range(1, len(rows))]
    return float(np.median(np.concatenate(found))) if found else 0.0


def squared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distance of each row of `a` from that of `b`, both N×…: float64 N; NaN where a value is not finite."""
    import numpy as np

    x, y = flat_pair(a, b)
    if x.dtype.kind in "iub" and y.dtype.kind in "iub":
        counted: np.ndarray = (x != y).sum(axis=1).astype(np.float64)
        return counted
    with np.errstate(invalid="ignore", over="ignore"):
        difference = x.astype(np.float64) - y.astype(np.float64)
        summed: np.ndarray = (difference * difference).sum(axis=1)
    return summed


def lengths(rows: np.ndarray) -> np.ndarray:
    """Squared length of each of N rows: float64 N."""
    import numpy as np

    flat = [np.asarray(row, np.float64).ravel() for row in rows]
    return np.array([float(row @ row) for row in flat])
