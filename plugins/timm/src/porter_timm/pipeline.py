"""timm's evaluation transform as porter declares it.

`timm/data/transforms_factory.py`, `transforms_imagenet_eval`: the scale size is `floor(size / crop_pct)`; `center`
resizes the short side to it, `squash` both sides, and each crops the centre; `border` fits the whole image and pads it
with the mean.
"""

from __future__ import annotations

import math
from typing import Any

from porter import BadInput, PreprocessSpec
from porter_timm.config import TimmConfig

CROP_PCT = 0.875
"""timm's default, where a configuration has none."""


def size_of(config: TimmConfig, known: dict[str, Any]) -> tuple[int, int, int]:
    """Channels, height and width of the input."""
    channels, height, width = known.get("input_size") or (3, 224, 224)
    if config.image_size is not None:
        size = config.image_size
        height, width = (size, size) if isinstance(size, int) else size
    if channels not in (1, 3):
        raise BadInput(f"timm's {config.architecture} takes {channels} channels; images have 1 or 3")
    return channels, height, width


def pipeline_of(config: TimmConfig, known: dict[str, Any]) -> PreprocessSpec:
    """The pipeline of an architecture, by its configuration and what the yaml changes."""
    channels, height, width = size_of(config, known)
    crop_pct = config.crop_pct or known.get("crop_pct") or CROP_PCT
    mode = config.crop_mode or known.get("crop_mode") or "center"
    mean = tuple(config.mean or known.get("mean") or (0.485, 0.456, 0.406))
    common: dict[str, Any] = {
        "crop": (height, width),
        "interpolation": config.interpolation or known.get("interpolation") or "bicubic",
        "channels": "RGB" if channels == 3 else "GRAY",
        "mean": mean[:channels],
        "std": tuple(config.std or known.get("std") or (0.229, 0.224, 0.225))[:channels],
    }
    scaled = math.floor(height / crop_pct), math.floor(width / crop_pct)
    if mode == "border":
        if crop_pct < 1:
            raise BadInput(
                f"timm's {config.architecture}: crop_mode border with crop_pct {crop_pct:g} is no pipeline that porter "
                "declares; set crop_pct: 1.0, or crop_mode: center or squash, in a yaml given as --config"
            )
        return PreprocessSpec(
            fit="letterbox", pad=tuple(min(255, round(255 * one)) for one in mean[:channels]), **common
        )
    if mode == "squash":
        return PreprocessSpec(resize=min(scaled), squash=scaled, **common)
    if scaled[0] != scaled[1]:
        raise BadInput(
            f"timm's {config.architecture}: crop_mode center with an input of {height}×{width} is no pipeline that "
            "porter declares; set crop_mode: squash in a yaml given as --config"
        )
    return PreprocessSpec(resize=scaled[0], **common)
