"""The official HRNet classification config (yaml), read unchanged.

Keys and defaults are those of `lib/config/default.py` and `lib/models/cls_hrnet.py` of
github.com/HRNet/HRNet-Image-Classification. Only `MODEL` shapes the network, so only it is read. Three keys go
beyond the official code, which hard-codes their values: `MODEL.NUM_CLASSES` is obeyed (official: always 1000), and
`MODEL.EXTRA` may set `HEAD_CHANNELS` (32, 64, 128, 256) and `FINAL_CHANNELS` (2048).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from porter import Section, one_line, read_yaml

BlockName = Literal["BASIC", "BOTTLENECK"]

STRIDE = 32
"""Input pixels per cell of the coarsest branch: image sizes must be multiples, or branches cannot be added up."""

MODEL_KEYS = ("NAME", "INIT_WEIGHTS", "PRETRAINED", "NUM_JOINTS", "NUM_CLASSES", "TAG_PER_JOINT", "TARGET_TYPE",
    "IMAGE_SIZE", "HEATMAP_SIZE", "SIGMA", "EXTRA")  # fmt: skip
"""All that the official code allows under MODEL; it refuses any other key."""

ABSENT = "missing; every official HRNet config has it"

MAX_PARAMETERS = 4_000_000_000
"""Thirty times the largest published variant; a larger network is a slip of the keyboard, or an attack."""


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
    num_classes: int = 1000
    head_channels: tuple[int, ...] = (32, 64, 128, 256)
    """Width of the head's bottleneck on each branch of the last stage, before its expansion by 4."""
    final_channels: int = 2048
    """Features that go into the classifier."""


def read_config(path: str | Path) -> HRNetConfig:
    """Read an official config file.

    Raises:
        BadInput: one line with the file, the key and what is wrong with it.
    """
    file = Path(path)
    return parse_config(read_yaml(file), where=one_line(file))


def parse_config(document: Mapping[str, Any], where: str) -> HRNetConfig:
    """The config that an official yaml `document` describes; `where` names it in errors (raises BadInput)."""
    model = Section(document, where, absent=ABSENT).section("MODEL")
    model.refuse_unknown(MODEL_KEYS)
    model.choice("NAME", ("cls_hrnet",))
    extra = model.section("EXTRA")
    stages = tuple(_stage(extra.section(f"STAGE{number}"), number) for number in range(1, 5))
    for number, (before, stage) in enumerate(itertools.pairwise(stages), start=2):
        if len(stage.channels) < len(before.channels):
            raise extra.error(f"STAGE{number}.NUM_BRANCHES", f"fewer branches than in STAGE{number - 1}")
    head = extra.integers("HEAD_CHANNELS", most=4096, default=(32, 64, 128, 256))
    if len(head) != len(stages[-1].channels):
        raise extra.error("HEAD_CHANNELS", f"{len(head)} values for {len(stages[-1].channels)} branches of STAGE4")
    config = HRNetConfig(
        image_size=_image_size(model),
        stages=cast("tuple[StageConfig, StageConfig, StageConfig, StageConfig]", stages),
        num_classes=model.integer("NUM_CLASSES", most=1_000_000, default=1000),
        head_channels=head,
        final_channels=extra.integer("FINAL_CHANNELS", most=65_536, default=2048),
    )
    if _least_parameters(config) > MAX_PARAMETERS:
        raise extra.error("", f"describes a network of more than {MAX_PARAMETERS:,} parameters")
    return config


def _stage(section: Section, number: int) -> StageConfig:
    block = cast("BlockName", section.choice("BLOCK", ("BASIC", "BOTTLENECK")))
    blocks = section.integers("NUM_BLOCKS", most=1024)
    channels = section.integers("NUM_CHANNELS", most=4096)
    section.choice("FUSE_METHOD", ("SUM",), default="SUM")
    if number == 1:
        # The official code reads neither key here, and the official files spell the second NUM_RANCHES.
        branches = section.integer("NUM_BRANCHES", default=section.integer("NUM_RANCHES", default=1))
        modules = section.integer("NUM_MODULES", default=1)
        if branches != 1 or modules != 1:
            raise section.error("", f"STAGE1 has one branch and one module, not {branches} and {modules}")
    else:
        branches = section.integer("NUM_BRANCHES", most=6)
        modules = section.integer("NUM_MODULES", most=256)
    for key, values in (("NUM_BLOCKS", blocks), ("NUM_CHANNELS", channels)):
        if len(values) != branches:
            raise section.error(key, f"{len(values)} values for NUM_BRANCHES {branches}")
    return StageConfig(modules=modules, block=block, blocks=blocks, channels=channels)


def _image_size(model: Section) -> tuple[int, int]:
    """Height and width; the official key is `[width, height]`, or one number for both."""
    sizes = model.integers("IMAGE_SIZE", most=8192)
    if len(sizes) not in (1, 2):
        raise model.error("IMAGE_SIZE", f"one or two numbers are needed (width, height), found {len(sizes)}")
    if any(size % STRIDE for size in sizes):
        raise model.error("IMAGE_SIZE", f"{list(sizes)}: HRNet needs multiples of {STRIDE}")
    return sizes[-1], sizes[0]


def _least_parameters(config: HRNetConfig) -> int:
    """A lower bound on the number of parameters: the 3x3 convolutions of the branches, and the classifier."""
    branches = sum(
        stage.modules * blocks * 9 * channels**2
        for stage in config.stages
        for blocks, channels in zip(stage.blocks, stage.channels, strict=True)
    )
    return branches + config.final_channels * (config.num_classes + 4 * config.head_channels[-1])
