"""The network of the package `efficientnet-lite-pytorch`, ready to be exported."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from porter import Missing, one_line

PACKAGE = "efficientnet-lite-pytorch"


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


def build_network(model: str) -> nn.Module:
    """The package's network of `model`, e.g. `efficientnet_lite0`, with random weights, for 1000 classes.

    It is built for the model's published image size, to which its padding is fitted. Raises `Missing` where the
    package is not installed or does not work with this torch.
    """
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise Missing(
            f"{model} needs the package {PACKAGE}, which cannot be imported ({one_line(error)}). Run: "
            f"pip install {PACKAGE}"
        ) from error
    with torch.device("cpu"):
        network: nn.Module = EfficientNet.from_name(model.replace("_", "-"))
    return network
