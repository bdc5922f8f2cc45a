"""numpy arrays and scalars in a checkpoint, from their bytes: no code of numpy runs on what the file holds.

A forged `numpy.dtype` state can make numpy take raw bytes for object pointers. Here a type is one of a few names, and
the bytes must be as many as the shape takes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porter.checkpoints.inert import Kept

if TYPE_CHECKING:
    import torch
    from torch import Tensor

TYPES = {"f2": "float16", "f4": "float32", "f8": "float64", "i1": "int8", "i2": "int16", "i4": "int32", "i8": "int64"}
TYPES |= {"u1": "uint8", "b1": "bool"}

LARGEST, DIMENSIONS = 1 << 31, 32
"""Of an array: size of a dimension, and their number, which numpy allows."""


def tensor_of(value: object) -> Tensor | None:
    """`value` as a tensor: one already, or an array of plain numbers; None for anything else."""
    import torch

    if isinstance(value, torch.Tensor):
        # Detached by torch's own function: a pickle can set attributes of a tensor, and so hide its methods.
        return torch.detach(value)
    if isinstance(value, Kept) and value.stands_for.endswith("._reconstruct"):
        match value.state:
            case (_, tuple() as shape, Kept() as kind, bool() as columns, bytes() | str() as raw):
                return _array(shape, kind, columns, raw)
    if type(value).__module__ == "numpy" and type(value).__name__ == "ndarray":  # only a trusted file can hold one
        try:
            return torch.from_numpy(value)
        except TypeError:
            return None
    return None


def is_tensor(value: object) -> bool:
    """Whether `tensor_of` may make a tensor of it."""
    import torch

    is_array = isinstance(value, Kept) and value.stands_for.endswith("._reconstruct")
    return isinstance(value, torch.Tensor) or (is_array and tensor_of(value) is not None) or _is_ndarray(value)


def _is_ndarray(value: object) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray" and tensor_of(value) is not None


def scalar_of(value: object) -> float | None:
    """The number that stands for a numpy scalar; None for anything else."""
    if isinstance(value, Kept) and value.stands_for.endswith(".scalar"):
        match value.args:
            case (Kept() as kind, bytes() | str() as raw):
                made = _array((), kind, False, raw)
                return None if made is None else float(made)
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "size", 0) == 1:
        number = value.item()
        return float(number) if isinstance(number, int | float) else None
    return None


def _array(shape: tuple[object, ...], kind: Kept, columns: bool, raw: bytes | str) -> Tensor | None:
    """The array of these bytes; `columns`: they lie column by column."""
    import torch

    dtype, data = _dtype(kind), raw.encode("latin1", "replace") if isinstance(raw, str) else raw
    sizes = [size for size in shape if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < LARGEST]
    if (
        dtype is None
        or len(sizes) != len(shape)
        or len(shape) > DIMENSIONS
        or math.prod(sizes) * dtype.itemsize != len(data)
    ):
        return None
    if not data:
        return torch.empty(sizes, dtype=dtype)
    flat = torch.frombuffer(bytearray(data), dtype=dtype)
    return flat.reshape(sizes[::-1]).permute(*range(len(sizes))[::-1]) if columns else flat.reshape(sizes)


def _dtype(kind: Kept) -> torch.dtype | None:
    """The type that a pickled `numpy.dtype` names, where it is a plain number in this machine's order of bytes."""
    import torch

    name, state = kind.args[:1], kind.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
    if not name or not isinstance(name[0], str) or name[0] not in TYPES or order not in ("<", "|", "="):
        return None
    found: torch.dtype = getattr(torch, TYPES[name[0]])
    return found
