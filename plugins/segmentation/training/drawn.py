"""Drawn shapes with their masks: the pictures that the sample's network is trained and scored on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = ((96, 128), (128, 96), (112, 112), (80, 144), (160, 120))
"""Height and width, in turn."""
FINE = 4
"""Shapes are drawn so many times as large, then shrunk, so that edges are smooth."""
BORDER = 3
"""Pixels along the edges of shapes that are ignored, as in Pascal VOC."""
IGNORE = 255


def drawn(number: int, seed: int) -> tuple[Image.Image, Image.Image]:
    """Picture and mask (palette: classes 0 to 4, 255 ignored) of one number."""
    generator = np.random.default_rng((seed, number))
    height, width = SIZES[number % len(SIZES)]
    pixels, classes = _background(height, width, generator), np.zeros((height, width), np.uint8)
    for _ in range(generator.integers(1, 4)):
        label = int(generator.integers(1, 5))
        cover = _shape(label, height, width, generator)
        alpha = np.asarray(cover.resize((width, height), Image.Resampling.BOX), np.float32)[..., None] / 255
        pixels = pixels * (1 - alpha) + alpha * _paint(height, width, generator)
        classes[alpha[..., 0] >= 0.5] = label
    pixels += generator.normal(0, generator.uniform(1, 9), pixels.shape)
    image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    if generator.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(float(generator.uniform(0.4, 1.2))))
    return image, _with_borders(classes)


def _with_borders(classes: NDArray[np.uint8]) -> Image.Image:
    plain = Image.fromarray(classes)
    low, high = plain.filter(ImageFilter.MinFilter(BORDER)), plain.filter(ImageFilter.MaxFilter(BORDER))
    marked = np.where(np.asarray(low) != np.asarray(high), np.uint8(IGNORE), classes)
    mask = Image.fromarray(marked, "P")
    colours = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]
    palette = [value for colour in colours for value in colour] + [0] * (3 * 250) + [224, 224, 192]
    mask.putpalette(palette)
    return mask


def _shape(label: int, height: int, width: int, generator: np.random.Generator) -> Image.Image:
    """How much of each pixel a shape covers, so many times as large: disc, square, triangle or ring."""
    cover = Image.new("L", (width * FINE, height * FINE))
    pencil = ImageDraw.Draw(cover)
    radius = FINE * generator.uniform(0.2, 0.36) * min(height, width)
    x, y = (FINE * generator.uniform(0.1, 0.9) * size for size in (width, height))
    turn = generator.uniform(0, 2 * np.pi)
    if label in (1, 4):
        pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        if label == 4:
            inner = radius * generator.uniform(0.45, 0.65)
            pencil.ellipse((x - inner, y - inner, x + inner, y + inner), fill=0)
        return cover
    corners = 4 if label == 2 else 3
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    pencil.polygon([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles], fill=255)
    return cover


def _background(height: int, width: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Smooth colours with a few lines across."""
    coarse = generator.integers(30, 226, (3, 4, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pencil = ImageDraw.Draw(image)
    for _ in range(generator.integers(0, 5)):
        ends = [float(generator.uniform(0, size)) for size in (width, height, width, height)]
        colour = tuple(int(value) for value in generator.integers(0, 256, 3))
        pencil.line(ends, fill=colour, width=int(generator.integers(1, 4)))
    return np.asarray(image, np.float64)


def _paint(height: int, width: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """One colour, a little lighter to one side."""
    colour = generator.uniform(0, 255, 3)
    slope = generator.uniform(-40, 40) * np.linspace(-1, 1, width)
    return colour + np.broadcast_to(slope[None, :, None], (height, width, 1))
