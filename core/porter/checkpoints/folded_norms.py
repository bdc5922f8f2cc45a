"""Layers into which a BatchNorm was multiplied, told by multiplying it in again.

With the statistics and the affine part of a BatchNorm, s = weight / sqrt(running_var + eps), a layer W, b becomes
s·W, s·(b - running_mean) + bias. No state dict holds eps, so the usual ones are tried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter.checkpoints.arrays_of import is_counter

if TYPE_CHECKING:
    from torch import Tensor

EPS = (1e-5, 1e-3, 1e-6, 1e-4, 1e-2, 1e-12)
"""Of PyTorch, TensorFlow and others."""
TOLERANCE = 1e-3
"""Of the largest value of a tensor: the rounding of a few float32 operations, with room for float16's."""


@dataclass(frozen=True)
class Folded:
    """A layer of the model, and what of the file it was made of."""

    tensors: tuple[str, ...]
    """Names in the model."""
    entries: tuple[str, ...]
    """Names in the file."""


def folded_layers(module: Mapping[str, Tensor], unmatched: Collection[str], free: Mapping[str, Tensor]) -> list[Folded]:
    """The layers among the `unmatched` tensors of a model that are made of the entries `free` of a file."""
    norms = {name.rpartition(".")[0] for name in free if name.endswith("running_var")}
    found: list[Folded] = []
    taken: set[str] = set()
    for name in unmatched:
        if name.rpartition(".")[2] != "weight" or module[name].ndim < 2:
            continue
        bias = f"{name.removesuffix('weight')}bias"
        for entry in _same_shape(module[name], free, taken):
            scale = _scale(module[name], free[entry])
            norm = None if scale is None else _norm(scale, norms, free, entry, module.get(bias))
            if norm is not None:
                used = [other for other in free if other.rpartition(".")[0] == norm]
                own_bias = f"{entry.rpartition('.')[0]}.bias"
                taken.update([entry, *used, own_bias])
                norms.discard(norm)
                made = tuple(one for one in (name, bias) if one in unmatched)
                found.append(Folded(made, tuple(one for one in (entry, own_bias, *used) if one in free)))
                break
    return found


def _same_shape(tensor: Tensor, free: Mapping[str, Tensor], taken: set[str]) -> Iterator[str]:
    return (name for name, entry in free.items() if name not in taken and entry.shape == tensor.shape)


def _scale(made: Tensor, entry: Tensor) -> Tensor | None:
    """The factor of each output channel that makes `entry` into `made`; None: there is none."""
    import torch

    a, b = made.flatten(1).double(), entry.flatten(1).double()
    if not torch.allclose(a[0] * b[0].norm(), b[0] * a[0].norm() * (1 if a[0] @ b[0] >= 0 else -1), atol=1e-2):
        return None  # the first channel suffices to pass over most
    scale = (a * b).sum(1) / (b * b).sum(1).clamp_min(1e-300)
    off = (a - scale[:, None] * b).abs().max()
    return scale if off <= TOLERANCE * a.abs().max() else None


def _norm(scale: Tensor, norms: set[str], free: Mapping[str, Tensor], entry: str, bias: Tensor | None) -> str | None:
    """The BatchNorm that gives these factors, and the model's bias where it has one."""
    import torch

    def get(name: str) -> Tensor | None:
        found = free.get(name)
        return None if found is None or found.shape != scale.shape else found.double()

    # The factor of a dead channel is lost in rounding, and is of no account.
    channels = free[entry].flatten(1).abs().amax(1).double()
    own = get(f"{entry.rpartition('.')[0]}.bias")
    for norm in sorted(norms):
        mean, var = get(f"{norm}.running_mean"), get(f"{norm}.running_var")
        if mean is None or var is None:
            continue
        weight, shift = get(f"{norm}.weight"), get(f"{norm}.bias")
        for eps in EPS:
            factor = (torch.ones_like(var) if weight is None else weight) / (var + eps).sqrt()
            if not _close(scale * channels, factor * channels):
                continue
            wanted = factor * ((0 if own is None else own) - mean) + (0 if shift is None else shift)
            if bias is None or _close(bias.double(), wanted):
                return norm
    return None


def _close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= TOLERANCE * b.abs().max().clamp_min(1e-6))


def is_learned(name: str, tensor: Tensor) -> bool:
    """Whether an entry of a file can hold something learned: floats of more than two values, no table that the code
    of a network makes anew."""
    import torch

    if is_counter(name) or not tensor.is_floating_point() or name.rpartition(".")[2] in MADE_BY_CODE:
        return False
    return tensor.numel() > 2 and len(torch.unique(tensor.reshape(-1)[:4096])) > 2


MADE_BY_CODE = frozenset(
    {
        "inv_freq",
        "attn_mask",
        "relative_coords_table",
        "relative_position_index",
        "position_ids",
        "total_ops",
        "total_params",
    }
)
"""Last names of buffers that networks (or profilers) compute and older versions of them saved."""
