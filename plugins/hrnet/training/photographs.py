"""Small labelled pictures cut from ten photographs that scikit-image carries, all CC0 or in the public domain.

A class is a photograph, or a photograph with red and blue exchanged, so that some classes differ in colour alone.
Every photograph is divided into 4x4 cells. Validation pictures come from four of them, no two of which touch, and
training pictures from the other twelve; a picture never leaves its cell.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

SHORT_SIDE = 512
"""Pixels of a photograph's short side before it is cut."""
GRID = 4
"""Cells along each side of a photograph."""
VALIDATION_CELLS = ((0, 1), (1, 3), (2, 0), (3, 2))
"""Row and column of the cells held back for validation: four queens, so one in each row and each column."""
MARGIN = 4
"""Pixels left out along each border of a cell, more than the resize to `SHORT_SIDE` can carry across it."""
LEAST_SIDE, MOST_SIDE = 72, 160
"""Pixels of a picture's sides."""
JPEG_QUALITY = 85


@dataclass(frozen=True)
class PictureClass:
    name: str
    photograph: str
    """Function of `skimage.data` that gives it."""
    exchanged: bool = False
    """Whether red and blue are exchanged."""


CLASSES = (
    PictureClass("astronaut", "astronaut"),
    PictureClass("brick wall", "brick"),
    PictureClass("photographer", "camera"),
    PictureClass("cat", "chelsea"),
    PictureClass("cat, red and blue exchanged", "chelsea", exchanged=True),
    PictureClass("coffee", "coffee"),
    PictureClass("coffee, red and blue exchanged", "coffee", exchanged=True),
    PictureClass("grass", "grass"),
    PictureClass("gravel", "gravel"),
    PictureClass("deep sky", "hubble_deep_field"),
    PictureClass("retina", "retina"),
    PictureClass("retina, red and blue exchanged", "retina", exchanged=True),
    PictureClass("rocket", "rocket"),
    PictureClass("rocket, red and blue exchanged", "rocket", exchanged=True),
)
"""The label of a class is its place here."""


class Region(NamedTuple):
    """A rectangle in pixels; `right` and `bottom` are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int


def regions(size: tuple[int, int], validation: bool) -> list[Region]:
    """The cells of a photograph of `size` (width, height), either those for validation or those for training."""
    width, height = size
    return [
        Region(
            width * column // GRID + MARGIN,
            height * row // GRID + MARGIN,
            width * (column + 1) // GRID - MARGIN,
            height * (row + 1) // GRID - MARGIN,
        )
        for row in range(GRID)
        for column in range(GRID)
        if ((row, column) in VALIDATION_CELLS) == validation
    ]


def load_photograph(kind: PictureClass) -> Image.Image:
    """The RGB photograph of a class, its short side `SHORT_SIDE` pixels. Needs scikit-image."""
    from skimage import data

    photograph = Image.fromarray(getattr(data, kind.photograph)()).convert("RGB")
    if kind.exchanged:
        red, green, blue = photograph.split()
        photograph = Image.merge("RGB", (blue, green, red))
    width, height = photograph.size
    scale = SHORT_SIDE / min(width, height)
    return photograph.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)


def cut(photograph: Image.Image, region: Region, random: np.random.Generator) -> bytes:
    """A JPEG of a random rectangle within `region`, each side drawn from `LEAST_SIDE` to `MOST_SIDE`."""
    width = int(random.integers(LEAST_SIDE, min(MOST_SIDE, region.right - region.left) + 1))
    height = int(random.integers(LEAST_SIDE, min(MOST_SIDE, region.bottom - region.top) + 1))
    left = int(random.integers(region.left, region.right - width + 1))
    top = int(random.integers(region.top, region.bottom - height + 1))
    file = io.BytesIO()
    photograph.crop((left, top, left + width, top + height)).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def pictures(validation: bool, per_region: int, seed: int) -> list[tuple[bytes, int]]:
    """JPEG files and labels, `per_region` from every region of every class, in shuffled order."""
    random = np.random.default_rng(seed)
    made = []
    for label, kind in enumerate(CLASSES):
        photograph = load_photograph(kind)
        for region in regions(photograph.size, validation):
            made += [(cut(photograph, region, random), label) for _ in range(per_region)]
    return [made[i] for i in random.permutation(len(made))]
