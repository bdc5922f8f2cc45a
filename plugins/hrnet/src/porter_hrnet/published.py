"""What the authors publish of each variant.

All figures: README of github.com/HRNet/HRNet-Image-Classification, table "ImageNet pretrained models". It gives the
top-1 and top-5 error of a single 224x224 centre crop; accuracy is 100 minus that.
"""

from __future__ import annotations

from typing import NamedTuple

from porter import Published, PublishedMetric
from porter_hrnet.texts import COST, PARAMETERS, PUBLISHED_NOTE, SOURCE

IMAGENET_VAL = r"ILSVRC2012_val_\d{8}\.JPEG"
"""File names of the ImageNet-1k validation images, which the figures belong to."""


class PublishedRow(NamedTuple):
    """One row of the authors' table, with accuracies in place of errors."""

    parameters: str
    gflops: float
    """10^9 multiply-adds of one 224x224 image."""
    top1: float
    """Percent."""
    top5: float
    """Percent."""


TABLE = {
    "w18_small_v1": PublishedRow("13.2M", 1.49, 72.3, 90.7),
    "w18_small_v2": PublishedRow("15.6M", 2.42, 75.1, 92.4),
    "w18": PublishedRow("21.3M", 3.99, 76.8, 93.4),
    "w30": PublishedRow("37.7M", 7.55, 78.2, 94.2),
    "w32": PublishedRow("41.2M", 8.31, 78.5, 94.2),
    "w40": PublishedRow("57.6M", 11.8, 78.9, 94.5),
    "w44": PublishedRow("67.1M", 13.9, 78.9, 94.4),
    "w48": PublishedRow("77.5M", 16.1, 79.3, 94.5),
    "w64": PublishedRow("128.1M", 26.9, 79.5, 94.6),
}
"""Published figures by the variant's name, see `porter_hrnet.variants.variant_of`."""


def published_accuracy(variant: str) -> Published | None:
    """Accuracy that the authors publish for `variant`, or None where they publish none."""
    row = TABLE.get(variant)
    if row is None:
        return None
    return Published(
        source=SOURCE,
        dataset="ImageNet-1k val",
        images=50_000,
        metrics=(PublishedMetric(name="top1", value=row.top1), PublishedMetric(name="top5", value=row.top5)),
        image_pattern=IMAGENET_VAL,
        note=PUBLISHED_NOTE,
    )


def published_facts(variant: str) -> dict[str, str]:
    """Further published figures of `variant`, by their title; empty where there are none."""
    row = TABLE.get(variant)
    if row is None:
        return {}
    return {PARAMETERS: row.parameters, COST: f"{row.gflops:g}"}
