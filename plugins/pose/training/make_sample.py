"""Draws the sample of `dots-pose` and sets the weights of its network: python training/make_sample.py"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from porter_pose.dots import JOINTS, SAMPLE, new_network

COLOURS = ((230, 40, 40), (40, 200, 60), (50, 80, 235), (235, 200, 30), (210, 50, 210))
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
IMAGES, SIZE, SEED = 32, (320, 240), 11
LINE = (120, 120, 120)


def draw() -> None:
    """Figures on grey, one to three in a picture; some joints are hidden and not labelled."""
    random = np.random.default_rng(SEED)
    folder = SAMPLE / "images"
    folder.mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(1, IMAGES + 1):
        ground = int(random.integers(25, 110))
        picture = Image.new("RGB", SIZE, (ground,) * 3)
        pen = ImageDraw.Draw(picture)
        people = int(random.integers(1, 4))
        for place in range(people):
            left = 10 + place * (SIZE[0] - 20) // people
            wide = (SIZE[0] - 20) // people - 10
            high = int(random.integers(120, 210))
            top = int(random.integers(10, SIZE[1] - high - 5))
            annotations.append(figure(pen, random, (left, top, wide, high), number, len(annotations) + 1))
        name = f"figures_{number:03}.jpg"
        picture.filter(ImageFilter.GaussianBlur(0.6)).save(folder / name, quality=92)
        images.append({"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]})
    categories = [{"id": 1, "name": "person", "keypoints": list(JOINTS), "sigmas": [0.05] * len(JOINTS)}]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    (SAMPLE / "person_keypoints.json").write_text(json.dumps(whole) + "\n")


def figure(
    pen: ImageDraw.ImageDraw, random: np.random.Generator, box: tuple[int, int, int, int], image: int, number: int
) -> dict[str, object]:
    """One person: grey limbs, and a dot in its colour for each joint."""
    left, top, wide, high = box
    middle = left + wide / 2

    def near(x: float, y: float) -> tuple[float, float]:
        dx, dy = random.uniform(-0.06, 0.06, 2)
        return left + wide * (x + dx), top + high * (y + dy)

    joints = [near(0.5, 0.1), near(0.85, 0.45), near(0.15, 0.45), near(0.7, 0.9), near(0.3, 0.9)]
    neck, hip = (middle, top + 0.25 * high), (middle, top + 0.6 * high)
    for start, end in (
        (neck, hip),
        (joints[0], neck),
        (neck, joints[1]),
        (neck, joints[2]),
        (hip, joints[3]),
        (hip, joints[4]),
    ):
        pen.line([start, end], fill=LINE, width=4)
    size = max(4, high // 22)
    flat: list[float] = []
    for (x, y), colour in zip(joints, COLOURS, strict=True):
        hidden = random.random() < 0.08
        if not hidden:
            pen.ellipse([x - size, y - size, x + size, y + size], fill=colour)
        flat += [0.0, 0.0, 0] if hidden else [round(x, 1), round(y, 1), 2]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "keypoints": flat,
        "num_keypoints": sum(one > 0 for one in flat[2::3]),
        "bbox": list(box),
        "area": wide * high * 0.5,
        "iscrowd": 0,
    }


def weights() -> dict[str, torch.Tensor]:
    """Each first channel is the likeness to one colour: large along it, nothing for grey."""
    network = new_network()
    state = network.state_dict()
    for joint, colour in enumerate(COLOURS):
        direction = np.array(colour) / 255 - np.mean(colour) / 255
        direction /= np.linalg.norm(direction)
        reach = float(direction @ (np.array(colour) / 255))
        state["0.weight"][joint] = torch.tensor(direction * STD, dtype=torch.float32).reshape(3, 1, 1)
        state["0.bias"][joint] = float(direction @ MEAN - 0.72 * reach)
    state["2.weight"][:] = bump(7, 2.0)
    state["2.bias"][:] = 0.0
    state["3.weight"][:] = bump(5, 1.0) * 4
    return state


def bump(size: int, spread: float) -> torch.Tensor:
    """A Gaussian of sum 1."""
    line = torch.exp(-((torch.arange(size) - size // 2) ** 2) / (2 * spread**2))
    found = line[:, None] * line[None]
    return found / found.sum()


if __name__ == "__main__":
    draw()
    torch.save({"state_dict": weights()}, Path(SAMPLE) / "checkpoint.pth")
