"""Make the sample that ships with the plugin again: its pictures, masks and checkpoint.

    python plugins/segmentation/training/train_sample.py [--out DIR] [--seed N]

Runs on one CPU core in about four minutes. The network is trained on pictures that are drawn afresh for every epoch,
with other seeds than those of the sample, and is scored once, at the end.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click
import numpy as np
import torch
from drawn import IGNORE, drawn
from torch import Tensor, nn

from porter import PreprocessSpec, reference_pipeline
from porter_segmentation.network import ShapesNet
from porter_segmentation.shapes import CLASSES, SIZE, SPEC

SAMPLE = Path(__file__).resolve().parents[1] / "src/porter_segmentation/sample"
SAMPLE_SEED, TRAINING_SEED = 1, 1000
PICTURES = 80
EPOCHS, PER_EPOCH, BATCH = 30, 400, 16
LEARNING_RATE, WEIGHT_DECAY = 1e-2, 1e-4


def tensors(numbers: range, seed: int) -> tuple[Tensor, Tensor]:
    """Letterboxed images float32 N×3×SIZE×SIZE and their masks int64 N×SIZE×SIZE, 255 where nothing counts."""
    assert SPEC.preprocess is not None
    flat = PreprocessSpec(
        fit="letterbox",
        crop=(SIZE, SIZE),
        pad=(IGNORE,),
        interpolation="nearest",
        divisor=1.0,
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )
    images, masks = [], []
    for number in numbers:
        image, mask = drawn(number, seed)
        images.append(reference_pipeline(np.asarray(image), SPEC.preprocess))
        masks.append(reference_pipeline(np.repeat(np.asarray(mask)[..., None], 3, axis=2), flat)[0])
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)).long()


def train(network: ShapesNet) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, epochs=EPOCHS, steps_per_epoch=PER_EPOCH // BATCH
    )
    network.train()
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        images, masks = tensors(range(PER_EPOCH), TRAINING_SEED + epoch)
        losses = []
        for batch in torch.randperm(PER_EPOCH).split(BATCH):  # type: ignore[no-untyped-call]
            logits = nn.functional.interpolate(network(images[batch]), size=(SIZE, SIZE), mode="bilinear")
            loss = nn.functional.cross_entropy(logits, masks[batch], ignore_index=IGNORE)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        seconds = time.perf_counter() - started
        click.echo(f"epoch {epoch + 1}/{EPOCHS}: loss {np.mean(losses):.3f} ({seconds:.0f} s)", err=True)


def write_pictures(out: Path) -> None:
    for folder in (out / "images", out / "masks"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for number in range(PICTURES):
        image, mask = drawn(number, SAMPLE_SEED)
        image.save(out / f"images/shapes_{number:03}.jpg", quality=90)
        mask.save(out / f"masks/shapes_{number:03}.png", optimize=True)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=SAMPLE, help="Folder to write; the shipped sample.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of initial weights and of the order.")
def main(out: Path, seed: int) -> None:
    """Draw the pictures, train the network, and write all of it."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    write_pictures(out)
    network = ShapesNet(len(CLASSES))
    train(network)
    network.eval()
    torch.save({"state_dict": network.state_dict(), "epoch": EPOCHS}, out / "checkpoint.pth")
    click.echo(f"{sum(one.numel() for one in network.parameters())} weights")


if __name__ == "__main__":
    main()
