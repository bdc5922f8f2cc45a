"""Pillow's resize of the part of an image that a crop needs, bit for bit, and faster.

Pillow resizes rows first, then columns. Each pass is a sum of bytes times weights of 22 fractional bits, rounded to a
byte (`Resample.c`: `precompute_coeffs`, `normalize_coeffs_8bpc`, `ImagingResampleHorizontal_8bpc`). Here the same
integers are added a whole line at a time, compiled for the processor at hand and without Python's lock. Lines that the
crop leaves out are not computed at all; Pillow has to, since its `box` is held in float32.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porter.errors import one_line
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Radius of the filters that are computed here, in pixels of the smaller image."""
PRECISION_BITS = 22
"""Fractional bits of a weight, as in Pillow."""

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
    """One pass along an axis: N output lines, each the sum of up to K input lines."""

    source: int
    """First input line that is needed."""
    source_stop: int
    low: NDArray[np.int32]
    """N: the first input line of each output line, counted from `source`."""
    taps: NDArray[np.int32]
    """N: how many it takes."""
    weights: NDArray[np.int32]
    """N×K, in units of 2^-22."""


def covers(old: tuple[int, int], new: tuple[int, int], name: str) -> bool:
    """Whether `resize_window` gives Pillow's bytes by the filter `name` from `old` to `new`, both (height, width)."""
    return name in SUPPORT and rows_first(old, new)


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
    narrowed = transpose(_pass(transpose(needed), columns))
    return _pass(narrowed, rows)


@functools.cache
def unusable() -> Message | None:
    """Why `resize_window` cannot stand for Pillow in this process; None where it can. Takes a second at most, once."""
    import numpy as np
    import PIL
    from PIL import Image

    try:
        import cv2  # noqa: F401
    except ImportError as error:
        return Message("OpenCV cannot be imported ({reason})", reason=one_line(error))
    try:
        import numba
    except ImportError as error:  # not installed, or none for this Python or numpy yet
        return Message(
            "Numba cannot be imported ({reason}); install the extra `fast`",
            reason=one_line(error),
        )
    if getattr(numba.config, "DISABLE_JIT", False):  # its functions would then be Python's, thousands of times slower
        return Message("Numba is disabled (NUMBA_DISABLE_JIT)")
    noise = np.random.default_rng(7).integers(0, 256, (90, 120, 3), np.uint8)
    for (height, width), size in _CHECKED:
        pixels = noise[:height, :width]
        for name in SUPPORT:
            whole = np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling[name.upper()]))
            if not np.array_equal(resize_window(pixels, size, (3, 2), (32, 30), name), whole[3:35, 2:32]):
                return Message("Pillow {version} resizes differently", version=PIL.__version__)
    return None


def _pass(image: NDArray[np.uint8], plan: _Plan) -> NDArray[np.uint8]:
    """The output lines of a plan, from input lines `plan.source` on along the first axis of `image`."""
    import numpy as np

    from porter.images.compiled import add_lines

    lines = image.reshape(image.shape[0], -1)
    result = np.empty((len(plan.low), lines.shape[1]), np.uint8)
    add_lines()(lines, plan.low, plan.taps, plan.weights, result)
    return result.reshape(len(result), *image.shape[1:])


@functools.lru_cache(maxsize=512)
def _plan(old: int, new: int, first: int, count: int, name: str) -> _Plan:
    """Output lines `first` to `first + count` of an axis of `old` pixels that is resized to `new`."""
    import numpy as np

    low, high, weights = _weights(old, new, first, count, name)
    source, source_stop = int(low[0]), int(high[-1])
    return _Plan(
        source,
        source_stop,
        (low - source).astype(np.int32),
        (high - low).astype(np.int32),
        np.ascontiguousarray(weights, np.int32),
    )


def _weights(
    old: int, new: int, first: int, count: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """First and last (exclusive) input pixel of each output pixel, and its weights: in units of 2^-22, zero beyond the
    last.

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
    return low, high, np.trunc(weights * 2.0**PRECISION_BITS + np.copysign(0.5, weights))


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
