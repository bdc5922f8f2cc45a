"""The official HRNet classification config (yaml), read unchanged.

Keys and defaults are those of `lib/config/default.py` and `lib/models/cls_hrnet.py` of
github.com/HRNet/HRNet-Image-Classification. Only `MODEL` shapes the network, so only it is read. Three keys go
beyond the official code, which hard-codes their values: `MODEL.NUM_CLASSES` is obeyed (official: always 1000), and
`MODEL.EXTRA` may set `HEAD_CHANNELS` (32, 64, 128, 256) and `FINAL_CHANNELS` (2048).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from porter import BadInput, from_yaml, one_line, read_yaml, yaml_fault
from porter_hrnet.structure import FINAL_CHANNELS, HEAD_CHANNELS, NUM_CLASSES, BlockName, HRNetConfig, StageConfig

STRIDE = 32
"""Input pixels per cell of the coarsest branch: image sizes must be multiples, or branches cannot be added up."""
MAX_PARAMETERS = 4_000_000_000
"""Thirty times the largest published variant; a larger network is a slip of the keyboard, or an attack."""
ABSENT = "missing; every official HRNet config has it"

One = Annotated[int, Meta(ge=1, le=1)]
Widths = Annotated[tuple[Annotated[int, Meta(ge=1, le=4096)], ...], Meta(min_length=1, max_length=16)]


class _Stage(Struct, rename="upper", kw_only=True):
    block: BlockName
    num_blocks: Annotated[tuple[Annotated[int, Meta(ge=1, le=1024)], ...], Meta(min_length=1, max_length=16)]
    num_channels: Widths
    num_branches: Annotated[int, Meta(ge=1, le=6)]
    num_modules: Annotated[int, Meta(ge=1, le=256)]
    fuse_method: Literal["SUM"] = "SUM"


class _FirstStage(_Stage, rename="upper", kw_only=True):
    """The official code reads neither branches nor modules here, and the official files spell one of them otherwise."""

    num_branches: One = 1
    num_ranches: One = 1
    num_modules: One = 1


class _Extra(Struct, rename="upper", kw_only=True):
    stage1: _FirstStage
    stage2: _Stage
    stage3: _Stage
    stage4: _Stage
    head_channels: Widths = HEAD_CHANNELS
    final_channels: Annotated[int, Meta(ge=1, le=65_536)] = FINAL_CHANNELS


class _Model(Struct, rename="upper", kw_only=True, forbid_unknown_fields=True):
    """All that the official code allows under MODEL; it refuses any other key."""

    name: Literal["cls_hrnet"]
    image_size: Annotated[tuple[Annotated[int, Meta(ge=1, le=8192)], ...], Meta(min_length=1, max_length=16)]
    """Width and height, or one number for both."""
    extra: _Extra
    num_classes: Annotated[int, Meta(ge=1, le=1_000_000)] = NUM_CLASSES
    init_weights: Any = None
    pretrained: Any = None
    num_joints: Any = None
    tag_per_joint: Any = None
    target_type: Any = None
    heatmap_size: Any = None
    sigma: Any = None


class _Document(Struct, rename="upper"):
    model: _Model


def read_config(path: str | Path) -> HRNetConfig:
    """Read an official config file.

    Raises:
        BadInput: one line with the file, the key and what is wrong with it.
    """
    file = Path(path)
    return parse_config(read_yaml(file), where=one_line(file))


def parse_config(document: Mapping[str, Any], where: str) -> HRNetConfig:
    """The config that an official yaml `document` describes; `where` names it in errors (raises BadInput)."""
    model = from_yaml(document, _Document, where, ABSENT).model
    extra = model.extra

    def fault(key: str, problem: str) -> BadInput:
        return yaml_fault(document, where, f"MODEL.{key}", problem)

    stages = (extra.stage1, extra.stage2, extra.stage3, extra.stage4)
    for number, stage in enumerate(stages, start=1):
        for key, values in (("NUM_BLOCKS", stage.num_blocks), ("NUM_CHANNELS", stage.num_channels)):
            if len(values) != stage.num_branches:
                problem = f"{len(values)} values for NUM_BRANCHES {stage.num_branches}"
                raise fault(f"EXTRA.STAGE{number}.{key}", problem)
    for number, (before, stage) in enumerate(itertools.pairwise(stages), start=2):
        if stage.num_branches < before.num_branches:
            raise fault(f"EXTRA.STAGE{number}.NUM_BRANCHES", f"fewer branches than in STAGE{number - 1}")
    head, last = extra.head_channels, stages[-1].num_branches
    if len(head) != last:
        raise fault("EXTRA.HEAD_CHANNELS", f"{len(head)} values for {last} branches of STAGE4")
    if len(model.image_size) > 2:
        raise fault("IMAGE_SIZE", f"expected one or two numbers (width, height), found {len(model.image_size)}")
    if any(size % STRIDE for size in model.image_size):
        raise fault("IMAGE_SIZE", f"{list(model.image_size)}: must be multiples of {STRIDE}")
    first, second, third, fourth = (
        StageConfig(modules=one.num_modules, block=one.block, blocks=one.num_blocks, channels=one.num_channels)
        for one in stages
    )
    config = HRNetConfig(
        image_size=(model.image_size[-1], model.image_size[0]),
        stages=(first, second, third, fourth),
        num_classes=model.num_classes,
        head_channels=head,
        final_channels=extra.final_channels,
    )
    if _least_parameters(config) > MAX_PARAMETERS:
        raise fault("EXTRA", f"describes a network of more than {MAX_PARAMETERS:,} parameters")
    return config


def _least_parameters(config: HRNetConfig) -> int:
    """A lower bound on the number of parameters: the 3x3 convolutions of the branches, and the classifier."""
    branches = sum(
        stage.modules * blocks * 9 * channels**2
        for stage in config.stages
        for blocks, channels in zip(stage.blocks, stage.channels, strict=True)
    )
    return branches + config.final_channels * (config.num_classes + 4 * config.head_channels[-1])
