"""Photographs of painted shapes with their masks, made on the fly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLOURS = ((128, 128, 128), (230, 60, 50), (60, 210, 70), (50, 80, 220))
"""RGB of background, square, disc and bar."""
SIZES = ((48, 64), (64, 48), (50, 50), (36, 44))
"""Height and width, in turn."""
NOISE = 60
"""Standard deviation, in grey levels."""


def write_shapes(folder: Path, count: int, seed: int = 0) -> tuple[Path, Path]:
    """`count` noisy PNGs in `images/` and their masks in `masks/`; returns the two folders."""
    images, masks = folder / "images", folder / "masks"
    images.mkdir(parents=True), masks.mkdir()
    generator = np.random.default_rng(seed)
    for number in range(count):
        mask = paint(SIZES[number % len(SIZES)], generator)
        noise = generator.normal(0, NOISE, (*mask.shape, 3))
        pixels = np.clip(np.array(COLOURS)[mask] + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(images / f"shapes {number:03}.png")
        Image.fromarray(mask).save(masks / f"shapes {number:03}.png")
    return images, masks


def paint(size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.uint8]:
    """A mask (uint8 H×W) with a square, a disc and a bar, each partly over the one before."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    mask = np.zeros(size, dtype=np.uint8)
    for label in (1, 2, 3):
        row, column = (int(generator.integers(side // 4, 3 * side // 4)) for side in size)
        down, across = abs(rows - row), abs(columns - column)
        shape = {1: np.maximum(down, across) < 8, 2: down**2 + across**2 < 64, 3: (down < 3) & (across < 14)}
        mask[shape[label]] = label
    return mask
