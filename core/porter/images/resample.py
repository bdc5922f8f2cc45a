"""Pillow's resize of the part of an image that a crop needs, bit for bit, and faster.

Pillow resizes rows first, then columns. Each pass is a sum of bytes times weights of 22 fractional bits, rounded to a
byte (`Resample.c`: `precompute_coeffs`, `normalize_coeffs_8bpc`, `ImagingResampleHorizontal_8bpc`). Such a sum is exact
in float64, whatever the order of its terms. So here it is a matrix product for each few output lines, and lines that
the crop leaves out are not computed at all; Pillow has to, since its `box` is held in float32.
"""

from __future__ import annotations

import functools
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porter.errors import one_line
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Radius of the filters that are computed here, in pixels of the smaller image."""
_PRECISION_BITS = 22
_HALF_UP_SCALAR = (2.0**-24, 0.0, 0.0, 0.0)
"""Added before rounding half to even, it rounds halves up, as Pillow does; all else lies 2^-22 or more from a half."""
_LINES = 8
"""Output lines of one matrix product."""
_PRODUCT = 200_000
"""Multiplications of one matrix product at most: its operands stay in the cache, and BLAS starts no threads."""


@dataclass(frozen=True, eq=False)
class _Block:
    """Some output lines, the input lines that they are made from, and the weights between them."""

    first: int
    stop: int
    source: int
    source_stop: int
    weights: NDArray[np.float64]
    """(stop - first) × (source_stop - source)."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """One pass: output lines `first` to `first + count` of an axis."""

    source: int
    """First input line that is needed."""
    source_stop: int
    count: int
    blocks: tuple[_Block, ...]


def resize_window(
    pixels: NDArray[np.uint8], size: tuple[int, int], corner: tuple[int, int], window: tuple[int, int], name: str
) -> NDArray[np.uint8]:
    """`pixels` (uint8 H×W×3) resized to `size` by the filter `name` of `SUPPORT`, cut to `window` at `corner`.

    Sizes are (height, width), corners (top, left), in pixels of the resized image, which holds the whole window.
    """
    import cv2

    rows = _plan(pixels.shape[0], size[0], corner[0], window[0], name)
    columns = _plan(pixels.shape[1], size[1], corner[1], window[1], name)
    needed = pixels[rows.source : rows.source_stop, columns.source : columns.source_stop]
    # A pass works along the first axis, so that each line is one long row of a matrix.
    transpose: Any = cv2.transpose  # its stub gives back any type of array
    return _pass(transpose(_pass(transpose(needed), columns)), rows)


@functools.cache
def unusable() -> Message | None:
    """Why `resize_window` cannot stand for Pillow in this process; None where it can. Takes milliseconds, once."""
    import numpy as np
    import PIL
    from PIL import Image

    try:
        import cv2  # noqa: F401
    except ImportError as error:
        return Message("OpenCV cannot be imported ({reason})", reason=one_line(error))
    pixels = np.random.default_rng(7).integers(0, 256, (75, 100, 3), np.uint8)
    for height, width in ((52, 70), (43, 31), (90, 120)):
        for name in SUPPORT:
            whole = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling[name.upper()]))
            if not np.array_equal(resize_window(pixels, (height, width), (3, 2), (40, 28), name), whole[3:43, 2:30]):
                return Message("Pillow {version} resizes otherwise", version=PIL.__version__)
    return None


_scratch = threading.local()
"""Memory that a thread uses again and again: fresh pages cost more than the arithmetic."""


def _workspace(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two arrays of at least `size` values, this thread's own."""
    import numpy as np

    held: tuple[NDArray[np.float64], NDArray[np.float64]] | None = getattr(_scratch, "held", None)
    if held is None or held[0].size < size:
        held = _scratch.held = (np.empty(size), np.empty(size))
    return held


def _pass(image: NDArray[np.uint8], plan: _Plan) -> NDArray[np.uint8]:
    """The output lines of a plan, from input lines `plan.source` on along the first axis of `image`."""
    import cv2
    import numpy as np

    add: Any = cv2.add  # its stub knows no scalars beside float64
    lines = image.reshape(image.shape[0], -1)
    length = lines.shape[1]
    result = np.empty((plan.count, length), np.uint8)
    most = max(block.weights.shape[1] for block in plan.blocks)
    step = min(length, max(1, _PRODUCT // (_LINES * most)))
    sources, sums = _workspace(max(most, _LINES) * step)
    for block in plan.blocks:
        count, taps = block.weights.shape
        for start in range(0, length, step):
            stop = min(start + step, length)
            wide = stop - start
            source, total = sources[: taps * wide].reshape(taps, wide), sums[: count * wide].reshape(count, wide)
            source[...] = lines[block.source - plan.source : block.source_stop - plan.source, start:stop]
            np.matmul(block.weights, source, out=total)
            # Rounds half to even and clips to a byte.
            add(total, _HALF_UP_SCALAR, dst=result[block.first : block.stop, start:stop], dtype=cv2.CV_8U)
    return result.reshape(plan.count, *image.shape[1:])


@functools.lru_cache(maxsize=512)
def _plan(old: int, new: int, first: int, count: int, name: str) -> _Plan:
    """Output lines `first` to `first + count` of an axis of `old` pixels that is resized to `new`."""
    import numpy as np

    low, high, weights = _weights(old, new, first, count, name)
    starts = np.arange(0, count, _LINES)
    sources, stops = low[starts], high[np.minimum(starts + _LINES, count) - 1]
    line, taps = np.arange(count), weights.shape[1]
    matrices = np.zeros((len(starts), _LINES, int((stops - sources).max()) + taps))
    place = (low - sources[line // _LINES])[:, None] + np.arange(taps)
    matrices[line[:, None] // _LINES, line[:, None] % _LINES, place] = weights
    blocks = tuple(
        _Block(start, min(start + _LINES, count), source, stop, matrix[: count - start, : stop - source].copy())
        for start, source, stop, matrix in zip(starts.tolist(), sources.tolist(), stops.tolist(), matrices, strict=True)
    )
    return _Plan(int(low[0]), int(high[-1]), count, blocks)


def _weights(
    old: int, new: int, first: int, count: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """First and last (exclusive) input pixel of each output pixel, and its weights, zero beyond the last.

    Every step is the one of Pillow's `precompute_coeffs`, in the same order and in double precision.
    """
    import numpy as np

    scale = old / new
    stretch = max(scale, 1.0)
    support = SUPPORT[name] * stretch
    centre = (np.arange(first, first + count) + 0.5) * scale
    low = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    high = np.minimum((centre + support + 0.5).astype(np.int64), old)
    tap = np.arange(math.ceil(support) * 2 + 1)
    weights = _filter(((tap + low[:, None]) - centre[:, None] + 0.5) * (1.0 / stretch), name)
    weights[tap >= (high - low)[:, None]] = 0.0
    total = np.zeros(count)
    for column in weights.T:  # one by one: numpy's sum adds in another order
        total += column
    weights /= total[:, None]
    whole = np.trunc(weights * 2.0**_PRECISION_BITS + np.copysign(0.5, weights))
    return low, high, whole * 2.0**-_PRECISION_BITS


def _filter(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Pillow's `bilinear_filter` and `bicubic_filter` (Keys' cubic with a = -0.5)."""
    import numpy as np

    x = np.abs(x)
    if name == "bilinear":
        return np.where(x < 1.0, 1.0 - x, 0.0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))
