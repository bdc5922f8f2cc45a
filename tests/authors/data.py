"""What the authors' models are run on, drawn here."""

from __future__ import annotations

import csv
import json
import wave
from pathlib import Path

import numpy as np
from PIL import Image


def write_tiles(folder: Path, count: int = 24) -> None:
    """Pictures of 32 to 64 pixels with bright tiles of 8; `tiles.json` has the corners of each."""
    generator, labels = np.random.default_rng(3), {}
    (folder / "val").mkdir(parents=True)
    for number in range(count):
        pixels = generator.integers(0, 60, (64, 64, 3), np.uint8)
        places = {tuple(map(int, generator.integers(0, 8, 2))) for _ in range(number % 4)}
        for row, column in places:
            pixels[8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 230
        scale = 1 + number % 2  # an image of twice the size is shrunk into the input
        Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)).save(folder / "val" / f"{number:02}.png")
        labels[f"{number:02}.png"] = sorted(f"{8 * scale * x},{8 * scale * y}" for y, x in places)
    (folder / "labels").write_text(json.dumps(labels))


def write_exposures(folder: Path, count: int = 24) -> None:
    """Grey pictures, each with a file of a gain and a bias."""
    generator, labels = np.random.default_rng(4), {}
    (folder / "val").mkdir(parents=True)
    for number in range(count):
        level, gain, bias = (float(one) for one in generator.uniform([40, 0.5, -0.2], [220, 1.5, 0.2]))
        pixels = np.full((20, 20, 3), round(level), np.uint8)
        Image.fromarray(pixels).save(folder / "val" / f"{number:02}.png")
        (folder / "val" / f"{number:02}.json").write_text(json.dumps({"gain": gain, "bias": bias}))
        labels[f"{number:02}.png"] = int(round(level) / 255 * gain + bias > 0.5)
    (folder / "labels").write_text(json.dumps(labels))


def write_reviews(folder: Path, count: int = 24) -> None:
    """Sentences of one opinion each."""
    (folder / "val").mkdir(parents=True)
    with (folder / "labels").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["text", "label"])
        for number in range(count):
            word = ("bad", "good", "awful", "great")[number % 4]
            rows.writerow([f"{('the', 'a')[number // 4 % 2]} {word} film{' the' * (number // 8)}", number % 2])


def write_tones(folder: Path, count: int = 24) -> None:
    """Wave files of a low or a high tone, of several lengths."""
    (folder / "val").mkdir(parents=True)
    for number in range(count):
        name, step = (("low", 0.05), ("high", 1.5))[number % 2]
        values = 12000 * np.sin(step * np.arange(400 + 100 * (number % 5)) + number)
        with wave.open(str(folder / "val" / f"{name}-{number:02}.wav"), "wb") as sound:
            sound.setparams((1, 2, 8000, 0, "NONE", ""))
            sound.writeframes(values.astype("<i2").tobytes())
    (folder / "labels").write_text("")  # the names say it


def write_people(folder: Path, count: int = 12) -> None:
    """Pictures with two people each: a red, a green and a blue dot in a box."""
    generator, people = np.random.default_rng(5), []
    (folder / "val").mkdir(parents=True)
    for number in range(count):
        pixels = np.full((200, 300, 3), 20, np.uint8)
        for left in (10, 160):
            joints = []
            for colour in range(3):
                x, y = int(left + generator.integers(20, 100)), int(generator.integers(20, 180))
                while any(abs(x - a) + abs(y - b) < 40 for a, b in joints):
                    x, y = int(left + generator.integers(20, 100)), int(generator.integers(20, 180))
                pixels[y - 6 : y + 7, x - 6 : x + 7] = np.eye(3, dtype=np.uint8)[colour] * 250
                joints.append((x, y))
            people.append({"image": f"{number:02}.png", "joints": joints, "box": [left, 5, 120, 190]})
        Image.fromarray(pixels).save(folder / "val" / f"{number:02}.png")
    (folder / "labels").write_text(json.dumps(people))
