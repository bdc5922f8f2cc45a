"""Pillow's resize of the part of an image that a crop needs, bit for bit, and faster.

Pillow resizes rows first, then columns. Each pass is a sum of bytes times weights of 22 fractional bits, rounded to a
byte (`Resample.c`: `precompute_coeffs`, `normalize_coeffs_8bpc`, `ImagingResampleHorizontal_8bpc`). Here each weight is
the sum of a coarse one of 14 bits and the fine rest, and the sums of either are exact in float32, whatever the order of
their terms. So both are one matrix product for each few output lines. Lines that the crop leaves out are not computed
at all; Pillow has to, since its `box` is held in float32.
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
_COARSE_BITS = 14
"""Fractional bits of the coarse weights: with the 8 bits of a byte, 22 of float32's 24."""
_MOST_TAPS = 500
"""Pixels that a sum may have: a byte times a fine weight of 7 bits, 514 times, is 24 bits."""
_HALF_UP = 2.0**-16
"""Added before rounding half to even, it rounds halves up, as Pillow does; all else lies 2^-14 or more from a half."""
_LINES = 4
"""Output lines of one matrix product: more would multiply more zeros."""
_CACHED = 1 << 15
"""Output bytes that are worked on at a time: what is made of them on the way lies in the cache."""
_ALONE = 1 << 18
"""Multiplications below which OpenBLAS starts no threads for a product (`interface/gemm.c`: `SMP_THRESHOLD_MIN` times
`GEMM_MULTITHREAD_THRESHOLD`): images are preprocessed in threads already."""


_CHECKED = (
    ((75, 100), (52, 69)),
    ((90, 60), (57, 38)),
    ((90, 120), (40, 53)),
    ((40, 120), (36, 108)),
    ((60, 45), (90, 67)),
)
"""Sizes between which this module is compared with Pillow: wide and tall, less and more."""


@dataclass(frozen=True, eq=False)
class _Plan:
    """One pass along an axis: B blocks of `_LINES` output lines, each from K input lines."""

    source: int
    """First input line that is needed."""
    source_stop: int
    count: int
    """Output lines, of which the last block may have less than its share."""
    lines: NDArray[np.intp]
    """B×K: the input lines of each block, counted from `source`."""
    weights: NDArray[np.float32]
    """B×2·_LINES×K, in units of 2^-14: the coarse weights of each line, then the fine ones."""


def covers(old: tuple[int, int], new: tuple[int, int], name: str) -> bool:
    """Whether `resize_window` gives Pillow's bytes by the filter `name` from `old` to `new`, both (height, width)."""
    if name not in SUPPORT or not rows_first(old, new):
        return False
    return 2 * SUPPORT[name] * max(old[0] / new[0], old[1] / new[1]) < _MOST_TAPS


def rows_first(old: tuple[int, int], new: tuple[int, int]) -> bool:
    """Whether every Pillow resizes rows before columns from `old` to `new`, both (height, width).

    Rounding in between makes the order matter. Pillow 13 takes columns first where that is less work: for pictures over
    twice as high as wide that shrink, and some whose shape changes. The bounds here keep well away from those.
    """
    (height, width), (new_height, new_width) = old, new
    tall = height > 1.5 * width and new_height < height
    return not tall and 0.9 < (new_height * width) / (new_width * height) < 1.1


def resize_window(
    pixels: NDArray[np.uint8], size: tuple[int, int], corner: tuple[int, int], window: tuple[int, int], name: str
) -> NDArray[np.uint8]:
    """`pixels` (uint8 H×W×3) resized to `size` by the filter `name` of `SUPPORT`, cut to `window` at `corner`.

    Sizes are (height, width), corners (top, left), in pixels of the resized image, which holds the whole window.
    The bytes are Pillow's where `covers` says so.
    """
    import cv2

    rows = _plan(pixels.shape[0], size[0], corner[0], window[0], name)
    columns = _plan(pixels.shape[1], size[1], corner[1], window[1], name)
    needed = pixels[rows.source : rows.source_stop, columns.source : columns.source_stop]
    # A pass works along the first axis, so that each line is one long row of a matrix.
    transpose: Any = cv2.transpose  # its stub gives back any type of array
    narrowed = transpose(_pass(transpose(needed), columns, name))
    return _pass(narrowed, rows, name)


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
    noise = np.random.default_rng(7).integers(0, 256, (90, 120, 3), np.uint8)
    for (height, width), size in _CHECKED:
        pixels = noise[:height, :width]
        for name in SUPPORT:
            whole = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling[name.upper()]))
            if not np.array_equal(resize_window(pixels, size, (3, 2), (32, 30), name), whole[3:35, 2:32]):
                return Message("Pillow {version} resizes otherwise", version=PIL.__version__)
    return None


class _Workspace(threading.local):
    """Memory that a thread uses again and again: fresh pages cost more than the arithmetic."""

    def __init__(self) -> None:
        self._held: dict[str, NDArray[Any]] = {}

    def take(self, name: str, dtype: str, shape: tuple[int, int, int]) -> NDArray[Any]:
        import numpy as np

        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size, dtype)
        return held[:size].reshape(shape)


_workspace = _Workspace()


def _pass(image: NDArray[np.uint8], plan: _Plan, name: str) -> NDArray[np.uint8]:
    """The output lines of a plan, from input lines `plan.source` on along the first axis of `image`."""
    import numpy as np

    lines = image.reshape(image.shape[0], -1)
    length, (blocks, taps) = lines.shape[1], plan.lines.shape
    result = np.empty((blocks * _LINES, length), np.uint8)
    stretch = min(length, max(1, _ALONE // (2 * _LINES * taps)))
    step = max(1, _CACHED // (_LINES * stretch))
    for left in range(0, length, stretch):
        for first in range(0, blocks, step):
            part = slice(first, min(first + step, blocks))
            sums = _sums(lines[:, left : left + stretch], plan.lines[part], plan.weights[part])
            if name != "bilinear":  # whose weights are all positive
                np.maximum(sums, 0.0, out=sums)
            _round(sums, result[first * _LINES : part.stop * _LINES, left : left + stretch])
    return result[: plan.count].reshape(plan.count, *image.shape[1:])


def _sums(lines: NDArray[np.uint8], taken: NDArray[np.intp], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 B·_LINES×W: weighted sums of lines (uint8 H×W), cut to 14 fractional bits, in units of the last of them.

    What is cut off is positive and less than one unit, and so cannot change how the sum is rounded to a byte.
    """
    import numpy as np

    (blocks, taps), wide = taken.shape, lines.shape[1]
    gathered = _workspace.take("gathered", "u1", (blocks, taps, wide))
    source = _workspace.take("source", "f4", (blocks, taps, wide))
    both = _workspace.take("both", "f4", (blocks, 2 * _LINES, wide))
    sums = _workspace.take("sums", "f4", (blocks, _LINES, wide))
    np.take(lines, taken, axis=0, out=gathered, mode="clip")  # "clip": no check, no buffer
    source[...] = gathered
    np.matmul(weights, source, out=both)
    coarse, fine = both[:, :_LINES], both[:, _LINES:]
    np.floor(fine, out=fine)
    np.add(coarse, fine, out=sums)
    return sums.reshape(-1, wide)


def _round(sums: NDArray[np.float32], out: NDArray[np.uint8]) -> None:
    """Sums of `_sums`, none of them negative, to bytes: halves up, and what is above 255 to 255."""
    import cv2

    cv2.convertScaleAbs(sums, dst=out, alpha=2.0**-_COARSE_BITS, beta=_HALF_UP)


@functools.lru_cache(maxsize=512)
def _plan(old: int, new: int, first: int, count: int, name: str) -> _Plan:
    """Output lines `first` to `first + count` of an axis of `old` pixels that is resized to `new`."""
    import numpy as np

    low, high, weights = _weights(old, new, first, count, name)
    starts = np.arange(0, count, _LINES)
    sources = low[starts]
    taps = int((high[np.minimum(starts + _LINES, count) - 1] - sources).max())
    line = np.arange(count)
    matrices = np.zeros((len(starts), _LINES, taps + weights.shape[1]))
    place = (low - sources[line // _LINES])[:, None] + np.arange(weights.shape[1])
    matrices[line[:, None] // _LINES, line[:, None] % _LINES, place] = weights
    coarse = np.rint(matrices * 2.0**_COARSE_BITS)
    both = np.concatenate([coarse, matrices * 2.0**_COARSE_BITS - coarse], axis=1)[:, :, :taps]
    source, source_stop = int(low[0]), int(high[-1])
    # A block near the end may reach past it; the weights there are zero, and any line will do.
    lines = np.minimum(sources[:, None] + np.arange(taps), source_stop - 1) - source
    return _Plan(source, source_stop, count, lines, np.ascontiguousarray(both, np.float32))


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
