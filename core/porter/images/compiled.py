"""The inner loops of preprocessing, compiled by Numba for the processor at hand. They hold no lock of Python's.

The machine code is kept beside this file, or else in the user's folder for caches.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


@functools.cache
def add_lines() -> Callable[..., None]:
    """A function of `lines` (uint8 H×W), `first` and `taps` (int32 N), `weights` (int32 N×K) and `result` (uint8 N×W).

    Line n of `result` is the sum of `taps[n]` lines from `lines[first[n]]` on, times `weights[n]` in units of 2^-22,
    rounded to bytes as Pillow does (`Resample.c`: `clip8`): half is added before the fraction is cut off, and what lies
    outside goes to 0 or 255. Indices are not checked.
    """
    import numpy as np

    half, fraction = np.int32(1 << 21), np.int32(22)
    least, most = np.int32(0), np.int32(255)

    def add(lines: Any, first: Any, taps: Any, weights: Any, result: Any) -> None:
        count, wide = result.shape
        sums = np.empty(wide, np.int32)
        for line in range(count):
            sums[:] = half
            for tap in range(taps[line]):
                weight, source = weights[line, tap], lines[first[line] + tap]
                for place in range(wide):  # along a line, so that it becomes vector instructions on cached memory
                    sums[place] += weight * np.int32(source[place])
            for place in range(wide):
                result[line, place] = min(max(sums[place] >> fraction, least), most)

    return _compiled(add, ("uint8", 2), ("int32", 1), ("int32", 1), ("int32", 2), ("uint8", 2, "written"))


@functools.cache
def look_up() -> Callable[..., None]:
    """A function of `pixels` (uint8 H×W×3), `table` (float32 3×256), `order` (int32 3) and `out` (float32 3×H×W).

    Plane c of `out` is channel `order[c]` of the pixels by row c of the table.
    """

    def look(pixels: Any, table: Any, order: Any, out: Any) -> None:
        for plane in range(3):
            row, channel = table[plane], order[plane]
            for y in range(out.shape[1]):
                for x in range(out.shape[2]):
                    out[plane, y, x] = row[pixels[y, x, channel]]

    return _compiled(look, ("uint8", 3), ("float32", 2), ("int32", 1), ("float32", 3, "written"))


def _compiled(function: Callable[..., None], *arrays: tuple[Any, ...]) -> Callable[..., None]:
    """The function, compiled for C-contiguous arrays of these types and numbers of axes; those not `written` may be
    read-only."""
    import numba

    types = [
        numba.types.Array(getattr(numba.types, dtype), axes, "C", readonly=not written)
        for dtype, axes, *written in arrays
    ]
    signature = numba.types.void(*types)
    try:
        return numba.njit(signature, nogil=True, cache=True)(function)
    except Exception:  # neither folder can be written, or what lies there is damaged: each raises its own
        return numba.njit(signature, nogil=True)(function)
