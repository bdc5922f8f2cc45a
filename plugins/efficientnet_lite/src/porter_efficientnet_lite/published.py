"""What the authors publish of each model.

All figures: README of models/official/efficientnet/lite in github.com/tensorflow/tpu (commit 07e173cc), columns
"params", "MAdds" and "FP32 accuracy". It gives no top-5.
"""

from __future__ import annotations

from typing import NamedTuple

from porter import Published, PublishedMetric
from porter_efficientnet_lite.texts import PARAMETERS, PUBLISHED_NOTE, SOURCE, multiply_adds

IMAGENET_VAL = r"ILSVRC2012_val_\d{8}\.JPEG"
"""File names of the ImageNet-1k validation images, which the figures belong to."""


class PublishedRow(NamedTuple):
    """One row of the authors' table, and the image size that belongs to it."""

    size: int
    """Pixels of the square input: `efficientnet_lite_params` in the authors' efficientnet_lite_builder.py."""
    parameters: str
    multiply_adds: str
    top1: float
    """Percent."""


TABLE = {
    "efficientnet_lite0": PublishedRow(224, "4.7M", "407M", 75.1),
    "efficientnet_lite1": PublishedRow(240, "5.4M", "631M", 76.7),
    "efficientnet_lite2": PublishedRow(260, "6.1M", "899M", 77.6),
}
"""Published figures by the model's name."""


def published_accuracy(model: str) -> Published:
    """Accuracy that the authors publish for `model`."""
    return Published(
        source=SOURCE,
        dataset="ImageNet-1k val",
        images=50_000,
        metrics=(PublishedMetric(name="top1", value=TABLE[model].top1),),
        image_pattern=IMAGENET_VAL,
        note=PUBLISHED_NOTE,
    )


def published_facts(model: str) -> dict[str, str]:
    """Further published figures of `model`, by their title."""
    row = TABLE[model]
    return {
        PARAMETERS: row.parameters,
        multiply_adds(row.size): row.multiply_adds,
    }
