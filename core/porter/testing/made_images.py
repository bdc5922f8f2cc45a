"""A small set of images of every kind that real data sets hold, made on the fly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = (
    ("square.jpg", "RGB", (64, 64)),
    ("wide.jpg", "RGB", (160, 50)),
    ("tall.jpg", "RGB", (47, 130)),
    ("odd.png", "RGB", (101, 77)),
    ("small.png", "RGB", (9, 7)),
    ("grey.jpg", "L", (80, 60)),
    ("palette.png", "P", (60, 80)),
    ("alpha.png", "RGBA", (70, 70)),
    ("print.jpg", "CMYK", (90, 66)),
)
"""File name, Pillow's mode, and (width, height) in pixels."""
DAMAGED = "damaged.jpg"
"""Cut short in the middle: no image, but an item that stays in every denominator."""


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Images and their labels, as `--data` and `--labels` name them."""

    data: Path
    """Folder of images."""
    labels: Path | None = None
    """Their labels; None: the folder has them, or the task needs none."""


def write_image_set(folder: Path) -> ImageSet:
    """Write ten images, one of them unreadable, and a label file that gives them the classes 0 and 1 in turn.

    Sizes, aspect ratios and modes differ (RGB, grey, palette, alpha, CMYK; one is smaller than most crops). The pixels
    are the same on every call.
    """
    data = folder / "images"
    data.mkdir(parents=True)
    for number, (name, mode, size) in enumerate(KINDS):
        _picture(number, size).convert(mode).save(data / name)
    whole = (data / KINDS[0][0]).read_bytes()
    (data / DAMAGED).write_bytes(whole[: len(whole) // 2])
    labels = folder / "labels.txt"
    names = [name for name, _, _ in KINDS] + [DAMAGED]
    labels.write_text("".join(f"{name} {number % 2}\n" for number, name in enumerate(names)), encoding="utf-8")
    return ImageSet(data=data, labels=labels)


def _picture(seed: int, size: tuple[int, int]) -> Image:
    """A smooth gradient under noise: it tells channels, corners and resampling filters apart."""
    import numpy as np
    from PIL import Image

    width, height = size
    random = np.random.default_rng(seed)
    corners = random.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(corners).resize(size, Image.Resampling.BILINEAR), np.int16)
    noisy = smooth + random.integers(-20, 21, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
