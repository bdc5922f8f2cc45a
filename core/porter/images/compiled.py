"""The inner loop of the resize, compiled by Numba for the processor at hand. It holds no lock of Python's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

SIGNATURE = "void(uint8[:,::1], int32[::1], int32[::1], int32[:,::1], uint8[:,::1])"


@functools.cache
def add_lines() -> Callable[..., None]:
    """A function of `lines` (uint8 H×W), `first` and `taps` (int32 N), `weights` (int32 N×K) and `result` (uint8 N×W).

    Line n of `result` is the sum of `taps[n]` lines from `lines[first[n]]` on, times `weights[n]` in units of 2^-22,
    rounded to bytes as Pillow does (`Resample.c`: `clip8`): half is added before the fraction is cut off, and what lies
    outside goes to 0 or 255. Indices are not checked.

    The machine code is kept beside this file, or else in the user's folder for caches.
    """
    import numba
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

    try:
        return numba.njit(SIGNATURE, nogil=True, cache=True)(add)
    except Exception:  # neither folder can be written, or what lies there is damaged: each raises its own
        return numba.njit(SIGNATURE, nogil=True)(add)
