"""The network of the package `efficientnet-lite-pytorch`, ready to be exported. It is published without porter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from porter_efficientnet_lite.padding import fold_padding


class Classifier(nn.Module):
    """Images (float32 N×3×H×W) to ImageNet scores (float32 N×1000) through the package's own layers.

    The package's `forward` shapes its features by the batch size that it reads from the input, which exports as a
    chain of Shape and Gather; flattening them is the same without it. Dropout, which does nothing in eval mode, is
    left out.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        network: Any = self.network
        pooled = network._avg_pooling(network.extract_features(images))
        scores: Tensor = network._fc(pooled.flatten(1))
        return scores


def build_network(model: str, config: str | None = None) -> nn.Module:
    """The package's network of `model`, e.g. `efficientnet_lite0`, with random weights, for 1000 classes.

    It is built for the model's published image size, to which its padding is fitted. Raises ImportError where the
    package is not installed; `config` is not read.
    """
    from efficientnet_lite_pytorch import EfficientNet

    with torch.device("cpu"):
        network: nn.Module = EfficientNet.from_name(model.replace("_", "-"))
    return network


def wrap_network(network: nn.Module) -> nn.Module:
    """The module to export."""
    return Classifier(network)


def finish_export(path: Path) -> int:
    """Let each convolution of the exported file pad by itself, see `padding`; returns how many were changed."""
    model = onnx.load_model(path)
    folded = fold_padding(model)
    path.write_bytes(model.SerializeToString())
    return folded
