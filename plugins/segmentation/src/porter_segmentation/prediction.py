"""A prediction: the class of every pixel of the image, packed; and what of it two artefacts are compared by."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Classes = NDArray[np.unsignedinteger[Any]]

GRID = 64
"""Points along the longer way of an image, at most, that answers are compared at."""
SAME = 0.01
"""Share of these points; where fewer have changed, the answer is the same to a user."""


@dataclass(frozen=True)
class Segmented:
    """The class of every pixel of one image."""

    height: int
    width: int
    packed: bytes
    """zlib of the classes, uint8 or uint16 (where there are more than 255 of them), row by row. What the model did not
    see has the number of classes."""

    @cached_property
    def classes(self) -> Classes:
        """The classes, H×W."""
        return unpacked(self.packed, self.height, self.width)


def segmented(classes: Classes) -> Segmented:
    """A prediction of the classes (uint8 or uint16, H×W) of an image."""
    height, width = classes.shape
    return Segmented(height, width, zlib.compress(classes.tobytes(), 1))


def unpacked(packed: bytes, height: int, width: int) -> Classes:
    """What was packed, H×W."""
    import numpy as np

    data = zlib.decompress(packed)
    found: Any = np.frombuffer(data, np.uint8 if len(data) == height * width else np.uint16)
    return found.reshape(height, width)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Points:
    """The classes of an image at points of a grid: what answers are compared by, a few hundred bytes."""

    height: int
    width: int
    packed: bytes
    shares: str
    """What share of the pixels each class has, the largest first."""

    def __str__(self) -> str:
        return self.shares

    @property
    def classes(self) -> Classes:
        """The classes at the points, rows × columns."""
        return unpacked(self.packed, self.height, self.width)


def points_of(prediction: Segmented) -> Points:
    """The answer of a prediction."""
    import numpy as np

    mask = prediction.classes
    rows, columns = (_spread(size) for size in mask.shape)
    picked = np.ascontiguousarray(mask[np.ix_(rows, columns)])
    counts = np.bincount(mask.ravel())
    order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]
    shares = ", ".join(f"{k}: {100 * counts[k] / mask.size:.1f}%" for k in order[:4])
    more = f" (+{len(order) - 4})" if len(order) > 4 else ""
    return Points(len(rows), len(columns), zlib.compress(picked.tobytes(), 1), shares + more)


def changed_share(one: Points, other: Points) -> float:
    """The share of the points that have another class; 1 for images of other sizes."""
    if one.packed == other.packed:
        return 0.0
    if (one.height, one.width) != (other.height, other.width):
        return 1.0
    return float((one.classes != other.classes).mean())


def _spread(size: int) -> NDArray[np.intp]:
    import numpy as np

    count = min(size, GRID)
    return ((np.arange(count) + 0.5) * size / count).astype(np.intp)
