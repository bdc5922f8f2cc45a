"""Numbers that a lesser precision has been at: all of them are values that it can hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FEWEST = 8
"""Numbers that it takes to tell."""


def rounded_to(arrays: Iterable[np.ndarray]) -> str:
    """`bf16` or `fp16` where every number of these float32 arrays is one that the format holds; else empty.

    Numbers that are bfloat16 and float16 at once (small whole ones, halves, …) tell nothing.
    """
    import numpy as np

    flat = [np.asarray(one, np.float32).ravel() for one in arrays if one.dtype.kind == "f"]
    values = np.concatenate(flat) if flat else np.empty(0, np.float32)
    values = values[np.isfinite(values) & (values != 0)]
    if len(values) < FEWEST:
        return ""
    bf16 = (np.ascontiguousarray(values).view(np.uint32) & 0xFFFF) == 0
    with np.errstate(over="ignore", under="ignore"):
        fp16 = values.astype(np.float16).astype(np.float32) == values
    if bf16.all():
        return "" if fp16.all() else "bf16"
    return "fp16" if fp16.all() else ""
