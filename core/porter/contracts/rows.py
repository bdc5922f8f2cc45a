"""Arrays by name that have one row a sample: what a model takes, and what it gives.

A row of one sample may have another shape than that of the next: images of any size, boxes of which each image has its
own number. Such rows are a one-dimensional array of objects, each an array, so that `len(values)`, `values[3]` and
`values[[0, 2]]` mean the same of both kinds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

NEAR = 1e-3
"""Share of a column's largest value by which two rows of one list may differ to be the same without a search."""
Rows: TypeAlias = "Mapping[str, np.ndarray]"
"""By name; N×… of each, or N arrays of any shape."""


def count_of(rows: Rows) -> int:
    """N; 0 without any array."""
    return next((len(values) for values in rows.values()), 0)


def is_ragged(values: np.ndarray) -> bool:
    """Whether each row is an array of its own."""
    return values.dtype.kind == "O"


def is_listed(values: np.ndarray) -> bool:
    """Whether each row is a list, in which neither place nor number says anything: boxes of an image."""
    from porter.contracts.listed_rows import Listed

    return isinstance(values, Listed)


def ragged(values: Iterable[Any], *, listed: bool = False) -> np.ndarray:
    """One row for each array."""
    import numpy as np

    from porter.contracts.listed_rows import Listed

    arrays = list(values)
    found = np.empty(len(arrays), dtype=object)
    for place, array in enumerate(arrays):
        found[place] = array
    return found.view(Listed) if listed else found


def stacked(samples: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """One row for each sample, given without an axis for it."""
    import numpy as np

    found = {}
    for name in samples[0] if samples else ():
        arrays = [sample[name] for sample in samples]
        alike = all(array.shape == arrays[0].shape for array in arrays)
        found[name] = np.stack(arrays) if alike else ragged(arrays)
    return found


def single(sample: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One sample as the only row."""
    return {name: values[None] for name, values in sample.items()}


def taken(rows: Rows, places: Sequence[int]) -> dict[str, np.ndarray]:
    """Some of the rows, in that order."""
    return {name: values[list(places)] for name, values in rows.items()}


def part(rows: Rows, start: int, stop: int) -> dict[str, np.ndarray]:
    """Consecutive rows, in the memory where they are."""
    return {name: values[start:stop] for name, values in rows.items()}


def repeated(rows: Rows, row: int, count: int) -> dict[str, np.ndarray]:
    """One row, `count` times."""
    return taken(rows, [row] * count)


def joined(parts: Sequence[Rows]) -> dict[str, np.ndarray]:
    """The rows of several, one after the other."""
    import numpy as np

    found = {}
    for name, first in parts[0].items():
        arrays = [rows[name] for rows in parts]
        if all(not is_ragged(array) and array.shape[1:] == first.shape[1:] for array in arrays):
            found[name] = np.concatenate(arrays)
        else:
            found[name] = ragged((row for array in arrays for row in array), listed=is_listed(first))
    return found


def copied(rows: Rows) -> dict[str, np.ndarray]:
    """The rows, in arrays of their own."""
    import numpy as np

    return {
        name: ragged(map(np.array, values), listed=is_listed(values)) if is_ragged(values) else np.array(values)
        for name, values in rows.items()
    }


def whole(values: np.ndarray) -> np.ndarray:
    """Which rows hold finite numbers only: bool N."""
    import numpy as np

    if is_ragged(values):
        return np.array([bool(np.isfinite(row).all()) if row.dtype.kind == "f" else True for row in values], dtype=bool)
    if values.dtype.kind != "f":
        return np.ones(len(values), dtype=bool)
    found: np.ndarray = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    return found


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays of rows are the same bit for bit; NaN is itself."""
    if is_ragged(a) or is_ragged(b):
        return len(a) == len(b) and all(
            x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True)
        )
    return a.shape == b.shape and a.tobytes() == b.tobytes()


def flat_pair(wanted: np.ndarray, got: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two outputs of the same samples as N×M each, value against value.

    Of lists, each row of `got` stands where the nearest of `wanted` does; zeros stand for what has no counterpart.
    """
    import numpy as np

    count = len(wanted)
    if not (is_ragged(wanted) or is_ragged(got)):
        return _flat(wanted), _flat(got)
    match = is_listed(wanted) or is_listed(got)
    pairs = [
        matched(a, b) if match else (np.asarray(a).ravel(), np.asarray(b).ravel())
        for a, b in zip(wanted, got, strict=True)
    ]
    length = max((max(a.size, b.size) for a, b in pairs), default=0)
    padded = []
    for side in (0, 1):
        kind = np.result_type(*(pair[side].dtype for pair in pairs)) if pairs else np.dtype(np.float32)
        array = np.zeros((count, length), dtype=kind)
        for row, pair in enumerate(pairs):
            array[row, : pair[side].size] = pair[side].ravel()
        padded.append(array)
    return padded[0], padded[1]


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), values.size // max(1, len(values)))


def matched(wanted: np.ndarray, got: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two lists of rows, K×… each, as arrays of one shape: each row of `got` beside the nearest one of `wanted` that
    is still free, the nearest pairs first; beside zeros what is left over."""
    import numpy as np

    a, b = np.atleast_1d(wanted), np.atleast_1d(got)
    if a.shape == b.shape and np.array_equal(a, b):
        return a, b
    if a.ndim != b.ndim or a.shape[1:] != b.shape[1:]:
        return a.ravel(), b.ravel()
    width = int(np.prod(a.shape[1:]))
    x, y = (one.reshape(len(one), width).astype(np.float64) for one in (a, b))
    both = np.concatenate([x, y])
    scale = np.abs(both).max(axis=0, initial=np.finfo(float).tiny, where=np.isfinite(both))
    with np.errstate(invalid="ignore"):  # infinite beside infinite
        if x.shape == y.shape and (np.abs(x - y) <= NEAR * scale).all():  # in the same order, as most are
            return a, b
        apart = np.abs((x[:, None, :] - y[None, :, :]) / scale).max(axis=2, initial=0.0)
    partner = _nearest_first(apart)
    rest = sorted(set(range(len(b))) - set(partner.values()))
    first = np.zeros((len(a) + len(rest), *a.shape[1:]), dtype=a.dtype)
    second = np.zeros(first.shape, dtype=b.dtype)
    first[: len(a)] = a
    for row, other in partner.items():
        second[row] = b[other]
    second[len(a) :] = b[rest]
    return first, second


def _nearest_first(apart: np.ndarray) -> dict[int, int]:
    """Pairs of a row and a column, each in one pair at most, by increasing distance.

    Two that are each other's nearest come before all that either could be paired with, so that all such pairs are made
    at once: lists of hundreds of rows take a few rounds.
    """
    import numpy as np

    apart = np.nan_to_num(apart, nan=np.inf)
    rows, columns = np.arange(apart.shape[0]), np.arange(apart.shape[1])
    pairs: dict[int, int] = {}
    while len(rows) and len(columns):
        left = apart[np.ix_(rows, columns)]
        nearest = left.argmin(axis=1)
        mutual = np.flatnonzero(left.argmin(axis=0)[nearest] == np.arange(len(rows)))
        pairs.update(zip(rows[mutual].tolist(), columns[nearest[mutual]].tolist(), strict=True))
        rows, columns = np.delete(rows, mutual), np.delete(columns, nearest[mutual])
    return pairs
