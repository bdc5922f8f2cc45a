"""The right outputs of a few images, and how far any row lies from each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from porter.contracts.rows import is_ragged
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

Outputs: TypeAlias = "Mapping[str, np.ndarray]"
"""Every output by name, one row an image."""
MOST_VALUES = 50_000
"""Values of a row that are compared, evenly spaced where there are more."""
LIKE = 0.25
"""A row is another image's where it lies this much nearer to that one's than to its own."""


class Ruler:
    """Measures rows in units of what the tolerance allows: 1 is the largest error that passes."""

    def __init__(self, truth: Sequence[Outputs], tolerance: Tolerance) -> None:
        """`truth` has one row an image."""
        import numpy as np

        self._names = tuple(truth[0])
        self._shapes = {name: truth[0][name].shape[1:] for name in self._names}
        scales = {name: max(_largest(one[name]) for one in truth) for name in self._names}
        self._allowed = {name: tolerance.atol + tolerance.rtol * scale or 1e-30 for name, scale in scales.items()}
        self._truth = np.stack([self._vectors(one)[0] for one in truth])
        self.count = len(truth)

    def errors(self, outputs: Outputs, images: Sequence[int]) -> np.ndarray:
        """Of each row against its image; infinite where a row is missing, not finite or of another shape."""
        import numpy as np

        if not self._fits(outputs, len(images)):
            return np.full(len(images), np.inf)
        return self._distance(self._vectors(outputs), self._truth[list(images)])

    def nearest(self, outputs: Outputs, row: int, image: int) -> int | None:
        """The image whose outputs a row has instead of its own; None where it has no other image's."""
        import numpy as np

        if not self._fits(outputs, row + 1, exact=False):
            return None
        vector = self._vectors({name: outputs[name][row : row + 1] for name in self._names})[0]
        if not np.isfinite(vector).all():
            return None
        found = np.array([self._distance(vector[None], one[None])[0] for one in self._truth])
        best = int(np.argmin(found))
        return best if best != image and found[best] <= max(1.0, LIKE * found[image]) < found[image] else None

    def apart(self, one: Outputs, other: Outputs) -> bool:
        """Whether two rows differ by more than is allowed; both of one image."""
        import numpy as np

        if not (self._fits(one, 1) and self._fits(other, 1)):
            return self._fits(one, 1) != self._fits(other, 1)
        a, b = self._vectors(one), self._vectors(other)
        return not np.array_equal(a, b, equal_nan=True) and bool(self._distance(a, b)[0] > 1)

    def _fits(self, outputs: Outputs, rows: int, *, exact: bool = True) -> bool:
        return all(
            name in outputs
            and outputs[name].shape[1:] == self._shapes[name]
            and (len(outputs[name]) == rows if exact else len(outputs[name]) >= rows)
            for name in self._names
        )

    def _vectors(self, outputs: Outputs) -> np.ndarray:
        """N×values, each in units of what is allowed."""
        import numpy as np

        parts = []
        for name in self._names:
            flat = _flat(outputs[name])
            parts.append(flat[:, :: -(-flat.shape[1] // MOST_VALUES) or 1] / self._allowed[name])
        return np.concatenate(parts, axis=1)

    @staticmethod
    def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        import numpy as np

        with np.errstate(invalid="ignore"):
            found: np.ndarray = np.abs(a - b).max(axis=1, initial=0.0)
        return np.where(np.isfinite(found), found, np.inf)


def _largest(values: np.ndarray) -> float:
    import numpy as np

    return max((float(np.abs(row).max(initial=0.0)) for row in values), default=0.0)


def _flat(values: np.ndarray) -> np.ndarray:
    """N×values, float64. Rows of any number are told by it, by their sums and by their largest values, of each column:
    their order says nothing."""
    import numpy as np

    if not is_ragged(values):
        return values.reshape(len(values), -1).astype(np.float64)
    rows = [np.atleast_1d(np.asarray(row, np.float64)) for row in values]
    rows = [row.reshape(len(row), int(np.prod(row.shape[1:]))) for row in rows]
    told = [[[len(row)], row.sum(axis=0), np.abs(row).max(axis=0, initial=0.0)] for row in rows]
    return np.stack([np.concatenate(parts) for parts in told])
