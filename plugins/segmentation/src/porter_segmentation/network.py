"""The sample's network: two resolutions, dilated convolutions, a class for every fourth pixel."""

from __future__ import annotations

from torch import Tensor, nn


def block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution 3×3, BatchNorm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class ShapesNet(nn.Module):
    """Images N×3×H×W to logits N×classes×H/4×W/4; H and W are multiples of 8."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Sequential(block(3, width, stride=2), block(width, width, stride=2))
        self.fine = block(width, 2 * width)
        self.coarse = nn.Sequential(
            block(2 * width, 2 * width, stride=2),
            block(2 * width, 2 * width, dilation=2),
            block(2 * width, 2 * width, dilation=4),
            nn.Upsample(scale_factor=2, mode="nearest"),
        )
        self.head = nn.Sequential(block(2 * width, 2 * width), nn.Conv2d(2 * width, classes, 1))

    def forward(self, image: Tensor) -> Tensor:
        """See the class."""
        fine = self.fine(self.stem(image))
        scores: Tensor = self.head(fine + self.coarse(fine))
        return scores
