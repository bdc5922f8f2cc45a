"""A trace: what is kept of one image's outputs, so that another pass over the images can be compared with it.

An output of few values is kept whole. Of a larger one (a map for each pixel) as many sums are kept: its values are laid
out in rows of that length, each row is given a sign by chance, the same for everybody, and the rows are added up. Sums
of two outputs differ by the sums of their differences. So a single value that is off shows whole, and many small errors
show by their root mean square, whatever the size of the output; its largest value is kept beside them.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from porter.contracts.rows import is_listed

if TYPE_CHECKING:
    import numpy as np

MOST_VALUES, LEAST_VALUES = 4096, 64
"""Values that are kept of each output of an image."""
ROOM = 256 * 2**20
"""Bytes that the traces of all images may take, as long as each output may keep `LEAST_VALUES`."""
SEED = 17
"""Of the signs."""


class Trace(msgspec.Struct, frozen=True, array_like=True):
    """One output of one image."""

    shape: tuple[int, ...]
    """Without N."""
    whole: bool
    """Whether `values` are the output's own; False: sums."""
    counted: bool
    """Whether the output is of whole numbers."""
    nonfinite: int
    """Values that are NaN or infinite; they are 0 in what follows."""
    largest: float
    """max|x|."""
    values: bytes
    """float32."""
    listed: bool = False
    """Whether it is a list of rows, of which the first are kept."""

    @property
    def array(self) -> np.ndarray:
        """The values or sums, float32."""
        import numpy as np

        return np.frombuffer(self.values, np.float32)

    @property
    def size(self) -> int:
        """Values of the output."""
        size = 1
        for length in self.shape:
            size *= length
        return size


def values_kept(images: int, outputs: int) -> int:
    """How many values to keep of each output, where there are so many images of so many outputs."""
    return max(LEAST_VALUES, min(MOST_VALUES, ROOM // (4 * max(1, images) * max(1, outputs))))


def traces_of(outputs: Mapping[str, np.ndarray], row: int, keep: int) -> dict[str, Trace]:
    """The traces of one image, by output. `outputs` are N×…, of which `row` is the image's."""
    return {name: _trace(values[row], keep, is_listed(values)) for name, values in outputs.items()}


def _trace(values: np.ndarray, keep: int, listed: bool) -> Trace:
    import numpy as np

    if listed:
        values = values[: keep // max(1, values[:1].size)]
    flat = np.ascontiguousarray(values, dtype=np.float32).ravel()
    finite = np.isfinite(flat)
    nonfinite = int(flat.size - np.count_nonzero(finite))
    if nonfinite:
        flat = np.where(finite, flat, np.float32(0))
    whole = flat.size <= keep
    return Trace(
        shape=values.shape,
        whole=whole,
        counted=values.dtype.kind in "iub",
        nonfinite=nonfinite,
        largest=float(np.abs(flat).max(initial=0.0)),
        values=(flat if whole else _sums(flat, keep)).tobytes(),
        listed=listed,
    )


def _sums(flat: np.ndarray, keep: int) -> np.ndarray:
    import numpy as np

    rows = flat.size // keep
    signs = _signs(rows + 1)
    sums: np.ndarray = signs[:rows] @ flat[: rows * keep].reshape(rows, keep)
    rest = flat[rows * keep :]
    sums[: rest.size] += signs[rows] * rest
    return np.ascontiguousarray(sums, dtype=np.float32)


@functools.lru_cache(maxsize=16)
def _signs(count: int) -> np.ndarray:
    import numpy as np

    return np.random.default_rng(SEED).choice(np.array([-1, 1], np.float32), count)
