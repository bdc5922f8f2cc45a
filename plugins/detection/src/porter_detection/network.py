"""A small detector without anchors: each cell of an 8-pixel grid says what it lies in, and how far the edges are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

STRIDE = 8
"""Pixels of a cell."""


class ShapesNetwork(nn.Module):
    """Images float32 N×3×S×S, S a multiple of 8, to boxes N×A×4 (x1 y1 x2 y2 in pixels of the input) and scores N×A×C
    (0 to 1), A = (S/8)²."""

    middles: Tensor

    def __init__(self, classes: int, side: int, width: int = 16) -> None:
        super().__init__()
        sizes = (3, width, 2 * width, 3 * width)
        stem = [_block(sizes[k], sizes[k + 1], stride=2) for k in range(3)]
        self.backbone = nn.Sequential(*stem, _block(3 * width, 3 * width), _block(3 * width, 3 * width, dilation=2))
        self.distances = nn.Conv2d(3 * width, 4, 1)
        self.classes = nn.Conv2d(3 * width, classes, 1)
        self.register_buffer("middles", middles(side), persistent=False)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        distances, logits = self.raw(images)
        distances = distances.flatten(2).transpose(1, 2)
        boxes = torch.cat([self.middles - distances[:, :, :2], self.middles + distances[:, :, 2:]], dim=2)
        return boxes, logits.flatten(2).transpose(1, 2).sigmoid()

    def raw(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Distances from a cell's middle to the left, upper, right and lower edge, N×4×h×w in pixels, and logits
        N×C×h×w."""
        features = self.backbone(images)
        return self.distances(features).clamp(-4, 4).exp() * STRIDE, self.classes(features)


def middles(side: int) -> Tensor:
    """The middle of each cell of a square input, x and y in pixels: float32 A×2, row by row."""
    along = (torch.arange(side // STRIDE, dtype=torch.float32) + 0.5) * STRIDE
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def _block(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())
