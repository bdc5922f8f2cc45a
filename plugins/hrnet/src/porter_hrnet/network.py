"""HRNet for image classification (Wang et al., "Deep High-Resolution Representation Learning for Visual
Recognition", arXiv:1908.07919).

Names, order and shapes of the state dict are those of the authors' code
(github.com/HRNet/HRNet-Image-Classification, `lib/models/cls_hrnet.py`), so that its checkpoints load strictly.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import Tensor, nn

from porter_hrnet.structure import HRNetConfig, StageConfig

STEM_CHANNELS = 64


class HighResolutionNet(nn.Module):
    """Images to logits: float32 (N, 3, H, W), H and W multiples of 32, to float32 (N, `num_classes`)."""

    def __init__(self, config: HRNetConfig) -> None:
        super().__init__()
        first, second, third, fourth = config.stages
        widths = [_output_channels(stage) for stage in config.stages]
        self.conv1 = nn.Conv2d(3, STEM_CHANNELS, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS)
        self.conv2 = nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, kernel_size=3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(STEM_CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _residual_chain(BLOCKS[first.block], STEM_CHANNELS, first.channels[0], first.blocks[0])

        self.transition1, self.stage2 = Transition(widths[0], widths[1]), _stage(second)
        self.transition2, self.stage3 = Transition(widths[1], widths[2]), _stage(third)
        self.transition3, self.stage4 = Transition(widths[2], widths[3]), _stage(fourth)

        head = config.head_channels
        self.incre_modules = nn.ModuleList(
            _residual_chain(Bottleneck, width, channels, 1) for width, channels in zip(widths[3], head, strict=True)
        )
        head_widths = [channels * Bottleneck.expansion for channels in head]
        self.downsamp_modules = nn.ModuleList(
            _conv_bn_relu(fine, coarse, kernel_size=3, stride=2, bias=True)
            for fine, coarse in itertools.pairwise(head_widths)
        )
        self.final_layer = _conv_bn_relu(head_widths[-1], config.final_channels, kernel_size=1, stride=1, bias=True)
        self.classifier = nn.Linear(config.final_channels, config.num_classes)

    def forward(self, images: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(images)))
        x = self.relu(self.bn2(self.conv2(x)))
        branches = [self.layer1(x)]
        branches = self.stage2(self.transition1(branches))
        branches = self.stage3(self.transition2(branches))
        branches = self.stage4(self.transition3(branches))

        y = self.incre_modules[0](branches[0])
        for branch, increase, downsample in zip(
            branches[1:], self.incre_modules[1:], self.downsamp_modules, strict=True
        ):
            y = increase(branch) + downsample(y)
        y = self.final_layer(y)
        return self.classifier(nn.functional.adaptive_avg_pool2d(y, 1).flatten(1))  # type: ignore[no-any-return]


class ExchangeModule(nn.Module):
    """Parallel branches of residual blocks, then the exchange: every branch receives the sum of all of them.

    Takes and gives one tensor per branch, finest first, each with half the height and width of the one before.
    """

    def __init__(self, stage: StageConfig) -> None:
        super().__init__()
        block, widths = BLOCKS[stage.block], _output_channels(stage)
        self.branches = nn.ModuleList(
            _residual_chain(block, width, channels, blocks)
            for width, channels, blocks in zip(widths, stage.channels, stage.blocks, strict=True)
        )
        targets = range(len(widths) if len(widths) > 1 else 0)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_resample(widths, source, target) for source in range(len(widths))) for target in targets
        )

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        outputs = [branch(x) for branch, x in zip(self.branches, inputs, strict=True)]
        if len(outputs) == 1:
            return outputs
        return [_fuse(layers, outputs) for layers in self.fuse_layers]


class Transition(nn.ModuleList):
    """From the branches of one stage to those of the next: adapts widths and adds coarser branches."""

    def __init__(self, before: Sequence[int], after: Sequence[int]) -> None:
        super().__init__()
        for branch, width in enumerate(after):
            if branch >= len(before):
                self.append(_new_branch(before[-1], width, halvings=branch + 1 - len(before)))
            elif width != before[branch]:
                self.append(_conv_bn_relu(before[branch], width, kernel_size=3, stride=1))
            else:
                self.append(nn.Identity())

    def forward(self, inputs: list[Tensor]) -> list[Tensor]:
        """A new branch grows out of the coarsest one."""
        last = len(inputs) - 1
        return [layer(inputs[min(branch, last)]) for branch, layer in enumerate(self)]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., arXiv:1512.03385)."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = _shortcut(in_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + self.downsample(x))  # type: ignore[no-any-return]


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the output is 4 times as wide as `channels`."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = nn.Conv2d(in_channels, channels, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + self.downsample(x))  # type: ignore[no-any-return]


Block = type[BasicBlock] | type[Bottleneck]
BLOCKS: dict[str, Block] = {"BASIC": BasicBlock, "BOTTLENECK": Bottleneck}


def _output_channels(stage: StageConfig) -> tuple[int, ...]:
    return tuple(channels * BLOCKS[stage.block].expansion for channels in stage.channels)


def _stage(stage: StageConfig) -> nn.Sequential:
    return nn.Sequential(*(ExchangeModule(stage) for _ in range(stage.modules)))


def _residual_chain(block: Block, in_channels: int, channels: int, count: int) -> nn.Sequential:
    widths = [in_channels] + [channels * block.expansion] * (count - 1)
    return nn.Sequential(*(block(width, channels) for width in widths))


def _shortcut(in_channels: int, out_channels: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, kernel_size=1, bias=False), nn.BatchNorm2d(out_channels))


def _conv_bn(in_channels: int, out_channels: int, kernel_size: int, stride: int, bias: bool = False) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=bias)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


def _conv_bn_relu(
    in_channels: int, out_channels: int, kernel_size: int, stride: int, bias: bool = False
) -> nn.Sequential:
    return _conv_bn(in_channels, out_channels, kernel_size, stride, bias).append(nn.ReLU(inplace=True))


def _new_branch(in_channels: int, out_channels: int, halvings: int) -> nn.Sequential:
    widths = [in_channels] * halvings + [out_channels]
    return nn.Sequential(*(_conv_bn_relu(a, b, kernel_size=3, stride=2) for a, b in itertools.pairwise(widths)))


def _resample(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """What turns branch `source` into the shape of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:  # up: change the width, then repeat every cell
        layer = _conv_bn(widths[source], widths[target], kernel_size=1, stride=1)
        return layer.append(nn.Upsample(scale_factor=2 ** (source - target), mode="nearest"))
    halvings = target - source  # down: one strided convolution per halving, the last one changes the width
    down = [_conv_bn_relu(widths[source], widths[source], kernel_size=3, stride=2) for _ in range(halvings - 1)]
    return nn.Sequential(*down, _conv_bn(widths[source], widths[target], kernel_size=3, stride=2))


def _fuse(layers: nn.Module, outputs: list[Tensor]) -> Tensor:
    assert isinstance(layers, nn.ModuleList)
    first, *others = (layer(x) for layer, x in zip(layers, outputs, strict=True))
    for other in others:
        first = first + other
    return nn.functional.relu(first)
