"""Numbers that a lesser precision has been at: all of them are values that it can hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FEWEST = 8
"""Numbers that it takes to tell."""
FEW_BITS = 0x7FFFF
"""Bits of a float32 that are 0 in numbers of five bits of significand, three fewer than bfloat16 has."""


def rounded_to(arrays: Iterable[np.ndarray]) -> str:
    """`bf16` or `fp16` where every number of these float32 arrays is one that the format holds; else empty.

    Numbers of a few bits (small whole ones, halves, …) tell nothing: every format holds them.
    """
    import numpy as np

    flat = [np.asarray(one, np.float32).ravel() for one in arrays if one.dtype.kind == "f"]
    values = np.concatenate(flat) if flat else np.empty(0, np.float32)
    values = values[np.isfinite(values) & (values != 0)]
    if len(values) < FEWEST:
        return ""
    bits = np.ascontiguousarray(values).view(np.uint32)
    if ((bits & FEW_BITS) == 0).all():
        return ""
    with np.errstate(over="ignore", under="ignore"):
        fp16 = values.astype(np.float16).astype(np.float32) == values
    if ((bits & 0xFFFF) == 0).all():
        return "bf16"
    return "fp16" if fp16.all() else ""
