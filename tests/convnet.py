"""A small convolutional network that really classifies the photos of `tiny`: convolutions, a residual sum, ReLU6."""

from __future__ import annotations

from typing import Any

CHANNELS = 16


def colour_network(*, outlier: float = 0.0) -> Any:
    """The class is the strongest colour channel, found through three convolutions and a matrix product.

    `outlier` gives one channel of the middle convolution an activation so large that eight bits for the whole tensor
    leave nothing for the others: quantised, the network is then wrong. Nothing reads that channel.
    """
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = torch.nn.Conv2d(3, CHANNELS, 3, padding=1)
            self.middle = torch.nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
            self.last = torch.nn.Conv2d(CHANNELS, CHANNELS, 1)
            self.head = torch.nn.Linear(CHANNELS, 3)
            generator = torch.Generator().manual_seed(0)
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.copy_(0.01 * torch.randn(parameter.shape, generator=generator))
                for channel in range(3):
                    self.first.weight[channel, channel, 1, 1] = 1.0
                    self.first.bias[channel] = 1.0  # the photos' values lie in -1 to 1
                    self.middle.weight[channel, channel, 1, 1] = 1.0
                    # The residual sum brings the first convolution's colours along: the head must not see them.
                    self.last.weight[channel + 3, channel] = 1.0
                    self.head.weight[:, channel] = 0.0
                    self.head.weight[channel, channel + 3] = 2.0
                if outlier:
                    self.middle.bias[CHANNELS - 1] = outlier
                    self.last.weight[:, CHANNELS - 1] = 0.0

        def forward(self, image: Any) -> Any:
            first = torch.nn.functional.relu6(self.first(image))
            middle = torch.nn.functional.relu(self.middle(first))
            last = self.last(middle) + first
            return self.head(last.mean((2, 3)))

    return Network().eval()
