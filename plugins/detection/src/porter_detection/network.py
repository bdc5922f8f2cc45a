"""A small detector without anchors: each cell of an 8-pixel grid says what it lies in, and how far the edges are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

STRIDE = 8
"""Pixels of a cell."""


class ShapesNetwork(nn.Module):
    """Images float32 N×3×H×W, H and W multiples of 8, to boxes N×A×4 (x1 y1 x2 y2 in pixels of the input) and scores
    N×A×C (0 to 1), A = H/8 · W/8."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        sizes = (3, width, 2 * width, 3 * width)
        stem = [_block(sizes[k], sizes[k + 1], stride=2) for k in range(3)]
        self.backbone = nn.Sequential(*stem, _block(3 * width, 3 * width), _block(3 * width, 3 * width, dilation=2))
        self.distances = nn.Conv2d(3 * width, 4, 1)
        self.classes = nn.Conv2d(3 * width, classes, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        distances, logits = self.raw(images)
        return boxes_of(distances), logits.flatten(2).transpose(1, 2).sigmoid()

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Distances from a cell's middle to the left, upper, right and lower edge, N×4×h×w in pixels, and logits
        N×C×h×w."""
        features = self.backbone(images)
        return self.distances(features).clamp(-4, 4).exp() * STRIDE, self.classes(features)


def boxes_of(distances: Tensor) -> Tensor:
    """Distances N×4×h×w to boxes N×(h·w)×4."""
    import torch

    height, width = distances.shape[2], distances.shape[3]
    down = (torch.arange(height, dtype=torch.float32) + 0.5) * STRIDE
    across = (torch.arange(width, dtype=torch.float32) + 0.5) * STRIDE
    y, x = down.repeat_interleave(width), across.repeat(height)
    left, top, right, bottom = distances.flatten(2).unbind(1)
    return torch.stack([x - left, y - top, x + right, y + bottom], dim=2)


def _block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())
