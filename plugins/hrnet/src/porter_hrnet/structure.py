"""What shapes an HRNet. Plain Python: it is published beside the network, where there is no porter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

BlockName = Literal["BASIC", "BOTTLENECK"]
HEAD_CHANNELS, FINAL_CHANNELS, NUM_CLASSES = (32, 64, 128, 256), 2048, 1000
"""What the official code hard-codes."""


@dataclass(frozen=True, kw_only=True)
class StageConfig:
    """One stage: `modules` times the same parallel branches, each followed by an exchange between them."""

    modules: int
    block: BlockName
    blocks: tuple[int, ...]
    """Residual blocks in each branch, finest branch first."""
    channels: tuple[int, ...]
    """Width of each branch; the block's expansion (4 for BOTTLENECK) multiplies it."""


@dataclass(frozen=True, kw_only=True)
class HRNetConfig:
    """All that shapes the network."""

    image_size: tuple[int, int]
    """Height and width of the input in pixels. (The yaml has width first.)"""
    stages: tuple[StageConfig, StageConfig, StageConfig, StageConfig]
    num_classes: int = NUM_CLASSES
    head_channels: tuple[int, ...] = HEAD_CHANNELS
    """Width of the head's bottleneck on each branch of the last stage, before its expansion by 4."""
    final_channels: int = FINAL_CHANNELS
    """Features that go into the classifier."""
