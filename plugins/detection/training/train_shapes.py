"""Make the sample: draw scenes, train the network of `porter_detection.network` on others, and write all of it.

    python plugins/detection/training/train_shapes.py --out DIR

Takes some minutes on one CPU core. With one seed, two runs on one machine give the same bytes.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import click
import numpy as np
import torch
from scenes import CLASSES, scene
from torch import Tensor, nn

from porter import reference_pipeline, to_image
from porter_detection.network import STRIDE, ShapesNetwork
from porter_detection.shapes import PREPROCESS, SIDE

SAMPLE = Path(__file__).resolve().parents[1] / "src/porter_detection/sample"
STEPS, BATCH = 900, 24
LEARNING_RATE, WEIGHT_DECAY = 3e-3, 1e-4
VALIDATION, VALIDATION_SEED = 48, 2024
JPEG_QUALITY = 88
GAMMA = 2.0
"""Of the focal loss, Lin et al., arXiv 1708.02002."""
RADIUS = 1.2
"""Cells around the middle of a shape, within it, that learn its box."""


def targets(labels: list[tuple[int, float, float, float, float, float]], to_input: np.ndarray) -> tuple[Tensor, Tensor]:
    """Class of each cell, int64 h×w, -1 without one, and the distances to its edges, float32 4×h×w in pixels."""
    cells = SIDE // STRIDE
    classes, distances = np.full((cells, cells), -1), np.ones((4, cells, cells), np.float32)
    middles = (np.arange(cells) + 0.5) * STRIDE
    y, x = np.meshgrid(middles, middles, indexing="ij")
    for kind, left, top, width, height, _ in sorted(labels, key=lambda one: -one[3] * one[4]):
        (x1, y1), (x2, y2) = (to_input[:, :2] @ p + to_input[:, 2] for p in ((left, top), (left + width, top + height)))
        edges = np.stack([x - x1, y - y1, x2 - x, y2 - y])
        near = np.maximum(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) <= RADIUS * STRIDE
        chosen = near & (edges.min(axis=0) > 0)
        classes[chosen] = kind
        distances[:, chosen] = edges[:, chosen]
    return torch.from_numpy(classes), torch.from_numpy(distances)


def batch(random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Images, classes and distances of scenes drawn afresh, placed as `PREPROCESS` does it."""
    rows = []
    for _ in range(BATCH):
        picture, labels = scene(random)
        pixels = np.asarray(picture)
        back = np.vstack([to_image(PREPROCESS, pixels.shape[:2]), [0, 0, 1]])
        rows.append(
            (torch.from_numpy(reference_pipeline(pixels, PREPROCESS)), *targets(labels, np.linalg.inv(back)[:2]))
        )
    images, classes, distances = (torch.stack(column) for column in zip(*rows, strict=True))
    return images, classes, distances


def loss_of(network: ShapesNetwork, images: Tensor, classes: Tensor, distances: Tensor) -> Tensor:
    """Focal loss of the classes, and 1 - IoU of the boxes of cells that have one."""
    found, logits = network.raw(images)
    wanted = nn.functional.one_hot(classes + 1, len(CLASSES) + 1)[..., 1:].permute(0, 3, 1, 2).float()
    plain = nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    missed = (wanted - logits.sigmoid()).abs()
    has = classes >= 0
    count = has.sum().clamp(min=1)
    focal = (missed**GAMMA * plain).sum() / count
    a, b = found.permute(0, 2, 3, 1)[has], distances.permute(0, 2, 3, 1)[has]
    inside = (torch.minimum(a[:, :2], b[:, :2]) + torch.minimum(a[:, 2:], b[:, 2:])).prod(1)
    iou = inside / ((a[:, :2] + a[:, 2:]).prod(1) + (b[:, :2] + b[:, 2:]).prod(1) - inside)
    return focal + 2 * (1 - iou).sum() / count


def train(network: ShapesNetwork, random: np.random.Generator) -> None:
    nn.init.constant_(network.classes.bias, -4.0)  # few cells have a shape: Lin et al., section 4.1
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    network.train()
    started, losses = time.perf_counter(), []
    for step in range(1, STEPS + 1):
        loss = loss_of(network, *batch(random))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 50 == 0:
            seconds = time.perf_counter() - started
            click.echo(f"step {step}/{STEPS}: loss {np.mean(losses[-50:]):.3f} ({seconds:.0f} s)", err=True)
    network.eval()


def write_scenes(out: Path) -> None:
    """`images/` and `instances.json`, categories with gaps in their numbers, as COCO has them."""
    shutil.rmtree(out / "images", ignore_errors=True)
    (out / "images").mkdir(parents=True)
    random, images, annotations = np.random.default_rng(VALIDATION_SEED), [], []
    for number in range(1, VALIDATION + 1):
        picture, labels = scene(random)
        name = f"scene_{number:03d}.jpg"
        picture.save(out / "images" / name, "JPEG", quality=JPEG_QUALITY)
        images.append({"id": number, "file_name": name, "width": picture.width, "height": picture.height})
        for kind, left, top, width, height, area in labels:
            annotation = {"id": len(annotations) + 1, "image_id": number, "category_id": IDS[kind], "iscrowd": 0}
            annotations.append({**annotation, "bbox": [left, top, width, height], "area": area})
    categories = [{"id": IDS[kind], "name": name} for kind, name in enumerate(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (out / "instances.json").write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")


IDS = (1, 2, 5, 9)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=SAMPLE, help="Folder to write; the shipped sample.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of initial weights and of the scenes.")
def main(out: Path, seed: int) -> None:
    """Draw the scenes, train the network, and write all of it."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    network = ShapesNetwork(len(CLASSES), SIDE)
    write_scenes(out)
    train(network, np.random.default_rng(seed + 1))
    torch.save({"state_dict": network.state_dict()}, out / "checkpoint.pth")
    click.echo(f"{out}: {VALIDATION} scenes, {sum(p.numel() for p in network.parameters())} parameters")


if __name__ == "__main__":
    main()
