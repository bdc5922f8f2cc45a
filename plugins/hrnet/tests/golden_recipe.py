"""The weights and inputs behind the golden logits: a fixed value for every entry of a state dict, from its name."""

from __future__ import annotations

import zlib

import numpy as np
import torch


def golden_state_dict(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A state dict for `module` (which may lie on the `meta` device) that depends on nothing but names and shapes."""
    return {
        name: torch.from_numpy(np.asarray(_values(name, tuple(entry.shape)))).to(entry.dtype)
        for name, entry in module.state_dict().items()
    }


def golden_input(size: int = 224) -> torch.Tensor:
    """Float32 (2, 3, size, size)."""
    return torch.from_numpy(np.random.RandomState(7).standard_normal((2, 3, size, size)).astype("float32"))


def _values(name: str, shape: tuple[int, ...]) -> np.ndarray | float:
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape)
    if name.endswith("running_mean"):
        return random.uniform(-0.02, 0.02, shape)
    if name.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape)
    if len(shape) == 4:
        return random.standard_normal(shape) * (2 / (shape[1] * shape[2] * shape[3])) ** 0.5
    if len(shape) == 2:
        return random.standard_normal(shape) * (1 / shape[1]) ** 0.5
    if name.endswith("weight"):
        return random.uniform(0.45, 0.65, shape)
    return random.uniform(-0.02, 0.02, shape)
