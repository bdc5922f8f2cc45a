"""The nine published variants, told apart by the network's structure and not by a file's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from porter_hrnet.structure import HRNetConfig, StageConfig

CUSTOM = "custom"
"""Name of a structure that the authors do not publish."""


def variant_of(config: HRNetConfig) -> str:
    """The published variant that `config` describes (`w18_small_v1`, `w18`, … `w64`), or `custom`.

    The image size plays no part, since any size runs through the same weights. The number of classes does: the
    published figures are those of 1000 classes.
    """
    if (config.num_classes, config.head_channels, config.final_channels) != (1000, (32, 64, 128, 256), 2048):
        return CUSTOM
    return _NAMES.get(config.stages, CUSTOM)


def variant_in(shapes: Mapping[str, Sequence[int]]) -> str:
    """The published variant whose blocks are those of a checkpoint, by the names and shapes of its entries, whatever
    stands before the names; empty where it is none of them."""
    blocks = {name[found.start() :]: shape for name, shape in shapes.items() if (found := _BLOCK.search(name))}
    parts = {part.groups() for name in blocks if (part := _BLOCK.match(name))}
    modules = [{int(module) for stage, module, *_ in parts if stage == str(number)} for number in (2, 3, 4)]
    stem = {int(block) for *_, block in parts if block is not None}
    width, first = blocks.get("stage2.0.branches.0.0.conv1.weight"), blocks.get("layer1.0.conv1.weight")
    if not (width and first and stem and all(modules)):
        return ""
    depth = 1 + max(int(block) for stage, _, _, block, _ in parts if stage is not None)
    counts = tuple(1 + max(found) for found in modules)
    return _NAMES.get(_stages((1 + max(stem), first[0]), width[0], depth, (counts[0], counts[1], counts[2])), "")


_BLOCK = re.compile(r"\b(?:stage([234])\.(\d+)\.branches\.(\d+)\.(\d+)|layer1\.(\d+))\.conv1\.weight$")
"""The first convolution of each residual block."""


def _stages(
    first: tuple[int, int], width: int, blocks: int, modules: tuple[int, int, int]
) -> tuple[StageConfig, StageConfig, StageConfig, StageConfig]:
    """`first`: blocks and channels of stage 1; then `width`, twice the width, … on the branches of each stage."""

    def stage(branches: int) -> StageConfig:
        channels = tuple(width << branch for branch in range(branches))
        return StageConfig(modules=modules[branches - 2], block="BASIC", blocks=(blocks,) * branches, channels=channels)

    stem = StageConfig(modules=1, block="BOTTLENECK", blocks=first[:1], channels=first[1:])
    return stem, stage(2), stage(3), stage(4)


_NAMES = {
    _stages(first=(1, 32), width=16, blocks=2, modules=(1, 1, 1)): "w18_small_v1",
    _stages(first=(2, 64), width=18, blocks=2, modules=(1, 3, 2)): "w18_small_v2",
    **{
        _stages(first=(4, 64), width=width, blocks=4, modules=(1, 4, 3)): f"w{width}"
        for width in (18, 30, 32, 40, 44, 48, 64)
    },
}
