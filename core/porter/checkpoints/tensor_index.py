"""Find a tensor of a checkpoint by its values, whatever its name, shape or floating-point type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from porter.checkpoints.arrays_of import shape_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

SAMPLED = 16
"""Values that tell which tensors are worth comparing whole."""

Key = tuple[int, tuple[float, ...]]


class TensorIndex:
    """Tensors by name, to be found by values. They are compared as the searched one's type has them."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = {name: tensor for name, tensor in tensors.items() if _has_values(tensor)}
        self._by_key: dict[torch.dtype, dict[Key, list[str]]] = {}

    def holds(self, name: str, tensor: Tensor) -> bool:
        """Whether the entry `name` has the values of `tensor`."""
        entry = self.tensors.get(name)
        return entry is not None and equal(entry, tensor)

    def find(self, tensor: Tensor) -> list[str]:
        """Every name whose entry has the values of `tensor`."""
        found = self._keys(tensor.dtype).get(_key(tensor, tensor.dtype), [])
        return [name for name in found if equal(self.tensors[name], tensor)]

    def _keys(self, dtype: torch.dtype) -> dict[Key, list[str]]:
        if dtype not in self._by_key:
            keys = self._by_key[dtype] = {}
            for name, tensor in self.tensors.items():
                keys.setdefault(_key(tensor, dtype), []).append(name)
        return self._by_key[dtype]


def equal(entry: Tensor, tensor: Tensor) -> bool:
    """Whether `entry`, cast to the type of `tensor`, has its values in the same order. NaN equals NaN."""
    import torch

    if entry.numel() != tensor.numel():
        return False
    mine, theirs = entry.reshape(-1).to(tensor.dtype), tensor.reshape(-1)
    if torch.equal(mine, theirs):
        return True
    nan = torch.isnan(mine)
    return bool(nan.any()) and bool((nan == torch.isnan(theirs)).all()) and torch.equal(mine[~nan], theirs[~nan])


def nearest_name(name: str, names: Iterable[str]) -> str:
    """Of several names the one that shares the longest end with `name`."""

    def shared(other: str) -> int:
        mine, theirs = name.split(".")[::-1], other.split(".")[::-1]
        return next(
            (n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
        )

    return max(names, key=lambda other: (shared(other), -len(other)))


def _has_values(tensor: Tensor) -> bool:
    import torch

    return (
        shape_of(tensor) is not None and tensor.layout == torch.strided and not (tensor.is_meta or tensor.is_quantized)
    )


def _key(tensor: Tensor, dtype: torch.dtype) -> Key:
    flat = tensor.reshape(-1)
    sample = flat[:: max(1, len(flat) // SAMPLED)][:SAMPLED].to(dtype)
    # NaN equals nothing, not even itself as a key.
    return len(flat), tuple(0.0 if value != value else value for value in sample.tolist())
