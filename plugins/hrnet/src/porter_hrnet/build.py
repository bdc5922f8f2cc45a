"""The network of an official yaml config, for scripts without porter, which takes the config to be right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from porter_hrnet.network import HighResolutionNet
from porter_hrnet.structure import FINAL_CHANNELS, HEAD_CHANNELS, NUM_CLASSES, HRNetConfig, StageConfig


def build_network(model: str, config: str | None) -> HighResolutionNet:
    """The network that the yaml file `config` describes, with random weights; `model` is its name."""
    if config is None:
        raise SystemExit(f"{model}: the config is needed, one of the official yaml files")
    document = yaml.safe_load(Path(config).read_text(encoding="utf-8"))["MODEL"]
    extra = document["EXTRA"]
    first, second, third, fourth = (_stage(extra[f"STAGE{number}"]) for number in (1, 2, 3, 4))
    size = document["IMAGE_SIZE"]
    return HighResolutionNet(
        HRNetConfig(
            image_size=(size[1], size[0]) if isinstance(size, list) else (size, size),
            stages=(first, second, third, fourth),
            num_classes=document.get("NUM_CLASSES", NUM_CLASSES),
            head_channels=tuple(extra.get("HEAD_CHANNELS", HEAD_CHANNELS)),
            final_channels=extra.get("FINAL_CHANNELS", FINAL_CHANNELS),
        )
    )


def _stage(keys: dict[str, Any]) -> StageConfig:
    return StageConfig(
        modules=keys.get("NUM_MODULES", 1),
        block=keys["BLOCK"],
        blocks=tuple(keys["NUM_BLOCKS"]),
        channels=tuple(keys["NUM_CHANNELS"]),
    )
