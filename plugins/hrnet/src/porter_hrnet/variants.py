"""The nine published variants, told apart by the network's structure and not by a file's name."""

from __future__ import annotations

from porter_hrnet.config import HRNetConfig, StageConfig

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
