"""Pictures whose class every usual mistake of preprocessing costs, and a network that learnt to tell them.

The class has four bits: red or blue disc (colour order), left or right (mirroring), small or large (short side and
crop), dark or light ground (range, mean and deviation). Stripes of a third of the resize's period vanish where the
resize filters, and brighten everything where it does not (nearest).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from rigged import CLASSES, TRUE_PREPROCESS, network

SIDE, STRIPES = 96, (-45, 90, -45)


def picture(label: int, random: np.random.Generator) -> Image.Image:
    colour, right, large, light = (label >> bit & 1 for bit in range(4))
    ground = int(random.integers(130, 150) if light else random.integers(60, 80))
    image = Image.new("RGB", (SIDE, SIDE), (ground, ground, ground))
    x = (66 if right else 30) + int(random.integers(-4, 5))
    y = 48 + int(random.integers(-10, 11))
    radius = int(random.integers(17, 19) if large else random.integers(13, 15))
    pen = (ground + 60, ground - 20, ground - 50) if not colour else (ground - 50, ground - 20, ground + 60)
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=pen)
    return image


def striped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.int16) + np.resize(STRIPES, SIDE).astype(np.int16)[None, :, None]
    pixels = pixels + random.integers(-6, 7, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def draw(labels: Iterable[int], seed: int) -> list[Image.Image]:
    random = np.random.default_rng(seed)
    return [striped(picture(label, random), random) for label in labels]


def tensor(image: Image.Image) -> np.ndarray:
    """As `TRUE_PREPROCESS` says: float32 3×28×28."""
    spec = TRUE_PREPROCESS
    small = np.asarray(image.resize((spec.resize, spec.resize), Image.Resampling.BILINEAR), np.float32)
    corner = (spec.resize - spec.crop[0]) // 2
    cropped = small[corner : corner + spec.crop[0], corner : corner + spec.crop[1]]
    scaled = (cropped / np.float32(255) - np.float32(spec.mean)) / np.float32(spec.std)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)


def trained(variant: str = "") -> Any:
    import torch

    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # layers so small lose more by meeting than they gain
    labels = [number % CLASSES for number in range(512)]
    images = torch.from_numpy(np.stack([tensor(image) for image in draw(labels, 1)]))
    wanted = torch.tensor(labels)
    net = network(variant)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.004)
    for _ in range(14):
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(images[batch]), wanted[batch]).backward()
            optimizer.step()
    torch.set_num_threads(threads)
    return net.eval()


def folded(net: Any) -> dict[str, Any]:
    """The state of `network("folded")` that computes what `net` does."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    first, second = fuse_conv_bn_eval(net[0], net[1]), fuse_conv_bn_eval(net[3], net[4])
    places = {"0": first, "2": second, "5": net[7]}
    return {f"{place}.{name}": value for place, layer in places.items() for name, value in layer.state_dict().items()}


def write(folder: Path, images: list[Image.Image], name: Callable[[int], str]) -> list[str]:
    names = [name(number) for number in range(len(images))]
    for image, path in zip(images, names, strict=True):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        image.save(folder / path)
    return names
