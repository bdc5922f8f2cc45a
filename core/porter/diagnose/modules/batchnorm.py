"""BatchNorm by its numbers: what it was exported with, and what it was left with by training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porter.records.message import Message, Text

if TYPE_CHECKING:
    import numpy as np

CLOSE = 1e-3
"""Relative difference up to which a slope or a share counts as the one looked for."""


def norms(module: Any) -> list[tuple[str, Any]]:
    """Every BatchNorm with statistics, by its dotted name."""
    import torch

    return [
        (name, one)
        for name, one in module.named_modules()
        if isinstance(one, torch.nn.modules.batchnorm._BatchNorm) and one.running_var is not None
    ]


def as_initialised(module: Any) -> list[str]:
    """Names of the BatchNorms whose statistics are those of a new one: mean 0 and variance 1 throughout."""
    return [
        name for name, one in norms(module) if not bool(one.running_mean.any()) and bool((one.running_var == 1).all())
    ]


def explain_batchnorm(module: Any, given: np.ndarray, got: np.ndarray) -> Text:
    """What explains that `got` (N×C×…) is not what a BatchNorm makes of `given`; empty where nothing tried does.

    A straight line through each channel's values gives the factor and the offset that were really applied.
    """
    import numpy as np

    channels = given.shape[1]
    x = given.swapaxes(0, 1).reshape(channels, -1).astype(np.float64)
    y = got.swapaxes(0, 1).reshape(channels, -1).astype(np.float64)
    spread = x.var(axis=1)
    told = spread > 1e-12
    if not told.any():
        return ""
    slope = np.zeros(channels)
    slope[told] = ((x - x.mean(1, keepdims=True)) * (y - y.mean(1, keepdims=True))).mean(1)[told] / spread[told]
    offset = y.mean(1) - slope * x.mean(1)
    left = np.abs(y - (slope[:, None] * x + offset[:, None])).max(axis=1)
    if (left[told] > CLOSE * np.abs(y[told]).max()).any():
        return ""
    return _reason(module, slope[told], offset[told], told)


def _reason(module: Any, slope: np.ndarray, offset: np.ndarray, told: np.ndarray) -> Text:
    import numpy as np

    variance = module.running_var.detach().double().cpu().numpy()[told]
    mean = module.running_mean.detach().double().cpu().numpy()[told]
    weight = np.ones_like(variance) if module.weight is None else module.weight.detach().double().cpu().numpy()[told]
    bias = np.zeros_like(variance) if module.bias is None else module.bias.detach().double().cpu().numpy()[told]
    new = np.allclose(slope, weight, rtol=CLOSE, atol=1e-6) and np.allclose(offset, bias, rtol=CLOSE, atol=CLOSE)
    plain = np.allclose(slope, 1, rtol=CLOSE) and np.allclose(offset, 0, atol=CLOSE)
    if new and not (plain and (weight != 1).any()):
        return Message("the graph has initial BatchNorm statistics (mean 0, variance 1)")
    if plain:
        return Message("missing from the graph")
    usable = (np.abs(slope) > 1e-9) & (np.abs(weight) > 1e-9)
    if not usable.any():
        return ""
    found = (weight[usable] / slope[usable]) ** 2 - variance[usable]
    # Where the variance is large, eps is lost in it: the smallest variance tells it best.
    eps = float(found[np.argmin(variance[usable])])
    again = weight / np.sqrt(variance + eps) if eps > 0 else slope * np.inf
    shifted = bias - mean * again
    if eps > 0 and np.allclose(slope, again, rtol=CLOSE) and np.allclose(offset, shifted, rtol=CLOSE, atol=CLOSE):
        return Message("eps is {eps:.3g} in the graph, should be {own:.3g}", eps=eps, own=float(module.eps))
    return ""
