"""A plugin whose export goes wrong, and a small network with a BatchNorm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tiny import TinyPlugin

from porter import hookimpl


def with_batchnorm(eps: float = 1e-5) -> Any:
    """The strongest channel by way of a convolution and a BatchNorm whose variances are small beside 1e-3."""
    import torch

    torch.manual_seed(0)
    stem = torch.nn.Conv2d(3, 6, 3, padding=1, bias=False)
    norm = torch.nn.BatchNorm2d(6, eps=eps)
    head = torch.nn.Linear(6, 3)
    with torch.no_grad():
        stem.weight.zero_()
        for channel in range(3):
            stem.weight[channel, channel, 1, 1] = 0.05
            stem.weight[channel + 3, channel, 1, 1] = 0.05
        norm.running_var.copy_(torch.tensor([4.0, 5.0, 6.0, 7.0, 8.0, 9.0]) * 1e-4)
        norm.running_mean.copy_(torch.arange(6) * 0.001 + 0.001)
        norm.num_batches_tracked.fill_(100)
        head.bias.zero_()
        head.weight.copy_(torch.cat([torch.eye(3) * 4, torch.eye(3)], dim=1))
    layers = {"conv": stem, "bn": norm, "relu": torch.nn.ReLU(), "pool": torch.nn.AdaptiveAvgPool2d(1)}
    network = torch.nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    network.add_module("flat", torch.nn.Flatten())
    network.add_module("head", head)
    return network.eval()


class Exporting(TinyPlugin):
    """Something is done to the model before it is exported, and to the file after."""

    def __init__(
        self, network: Any, before: Callable[[Any], Callable[[], None]] | None = None, after: Any = None
    ) -> None:
        super().__init__(network=network)
        self.before, self.after = before, after

    @hookimpl
    def porter_export(self, loaded: Any, request: Any) -> Any:
        import onnx

        from porter.builtin.defaults import porter_export

        undo = self.before(loaded.module) if self.before is not None else lambda: None
        exported = porter_export(loaded=loaded, request=request)
        undo()
        if self.after is not None:
            model = onnx.load(exported.path)
            self.after(model)
            onnx.save(model, exported.path)
        return exported
