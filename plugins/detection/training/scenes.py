"""Drawn scenes with their boxes: red and blue discs and squares, some over others, on a grey and noisy ground.

Two pairs of classes differ in colour alone, so that a port that exchanges red and blue cannot keep its accuracy.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("red disc", "blue disc", "red square", "blue square")
COLOURS = ((210, 50, 45), (45, 70, 205))
MOST = 6
"""Shapes in a scene; some have none."""
LEAST_SIDE, MOST_SIDE = 96, 240
"""Pixels of a scene's sides."""
LEAST_VISIBLE = 0.35
"""Share of a shape that must be seen for it to be labelled."""


def scene(random: np.random.Generator) -> tuple[Image.Image, list[tuple[int, float, float, float, float, float]]]:
    """A picture, and for each shape its class, left, top, width, height and visible area in pixels."""
    width, height = (int(random.integers(LEAST_SIDE, MOST_SIDE + 1)) for _ in range(2))
    image = Image.fromarray(_ground(height, width, random))
    owner = np.full((height, width), -1)
    drawn: list[tuple[int, tuple[int, int, int, int], float]] = []
    for number in range(int(random.integers(0, MOST + 1))):
        kind = int(random.integers(len(CLASSES)))
        wide, high = (int(min(width, height) * random.uniform(0.14, 0.4)) for _ in range(2))
        if kind < 2:
            high = int(wide * random.uniform(0.8, 1.25))
        left, top = int(random.integers(0, width - wide)), int(random.integers(0, max(1, height - high)))
        box = (left, top, left + wide - 1, min(height, top + high) - 1)
        colour = tuple(int(np.clip(c + random.normal(0, 18), 0, 255)) for c in COLOURS[kind % 2])
        mask = Image.new("L", (width, height))
        for canvas, fill in ((ImageDraw.Draw(image), colour), (ImageDraw.Draw(mask), 255)):
            (canvas.ellipse if kind < 2 else canvas.rectangle)(box, fill=fill)
        covered = np.asarray(mask) > 0
        owner[covered] = number
        drawn.append((kind, box, float(covered.sum())))
    image = image.filter(ImageFilter.GaussianBlur(0.6))
    noisy = np.asarray(image).astype(np.float32) + random.normal(0, 10, (height, width, 3))
    labels = []
    for number, (kind, (left, top, right, bottom), area) in enumerate(drawn):
        seen = float((owner == number).sum())
        if seen >= LEAST_VISIBLE * area:
            labels.append((kind, float(left), float(top), right - left + 1.0, bottom - top + 1.0, seen))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), labels


def _ground(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Clouds of grey."""
    coarse = random.integers(70, 190, (5, 5), dtype=np.uint8)
    grey = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    return np.repeat(grey[:, :, None], 3, axis=2)
