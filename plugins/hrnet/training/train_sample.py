"""Make the sample that ships with the plugin again: its pictures, labels, class names and checkpoint.

    pip install porter-hrnet scikit-image==0.26.0
    python plugins/hrnet/training/train_sample.py [--out DIR] [--seed N]

Runs on one CPU core in about four minutes. Pictures come out the same byte for byte (with the same Pillow); the
checkpoint is the same on one machine, and within the noise that ORIGIN.md reports elsewhere. The network is trained
on pictures that are cut afresh for every epoch from the training regions of `photographs`, and is scored once, at
the end, on the validation pictures.
"""

from __future__ import annotations

import io
import shutil
import time
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from photographs import CLASSES, pictures
from PIL import Image
from torch import Tensor, nn

from porter_hrnet.config import read_config
from porter_hrnet.network import HighResolutionNet

SAMPLE = Path(__file__).resolve().parents[1] / "src/porter_hrnet/sample"
PICTURES_SEED = 2024
EPOCHS = 15
TRAINING_PER_REGION, VALIDATION_PER_REGION = 25, 5
BATCH = 64
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-4
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def preprocess(file: bytes, size: int, exchanged: bool) -> npt.NDArray[np.float32]:
    """The official evaluation pipeline: short side to `size / 0.875`, centre crop, normalise; float32 (3, size, size).

    `exchanged` gives the network blue, green, red in place of red, green, blue.
    """
    image = Image.open(io.BytesIO(file)).convert("RGB")
    short = int(size / 0.875)
    width, height = (int(short * side / min(image.size)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = round((width - size) / 2), round((height - size) / 2)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)))[..., :: -1 if exchanged else 1]
    return ((pixels.astype(np.float32) / np.float32(255) - MEAN) / STD).transpose(2, 0, 1)


def tensors(files: list[tuple[bytes, int]], size: int, exchanged: bool = False) -> tuple[Tensor, Tensor]:
    """Images float32 (N, 3, size, size) and labels int64 (N,)."""
    images = torch.from_numpy(np.stack([preprocess(file, size, exchanged) for file, _ in files]))
    return images, torch.tensor([label for _, label in files])


def initialise(network: nn.Module) -> None:
    """He initialisation of the convolutions, as in the official `init_weights`."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def augment(images: Tensor) -> Tensor:
    """Half of the images mirrored; every one with its own contrast and brightness, the colour balance kept."""
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    contrast = torch.empty(len(images), 1, 1, 1).uniform_(0.7, 1.3)
    brightness = torch.empty(len(images), 1, 1, 1).uniform_(-0.3, 0.3)
    return torch.where(mirrored, images.flip(3), images) * contrast + brightness


def train(network: HighResolutionNet, size: int) -> None:
    optimizer = torch.optim.SGD(
        network.parameters(), LEARNING_RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY, nesterov=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    network.train()
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        images, labels = tensors(pictures(False, TRAINING_PER_REGION, seed=PICTURES_SEED + 1 + epoch), size)
        losses = []
        for batch in torch.arange(len(images)).split(BATCH):  # type: ignore[no-untyped-call]
            loss = nn.functional.cross_entropy(network(augment(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        seconds = time.perf_counter() - started
        click.echo(f"epoch {epoch + 1}/{EPOCHS}: loss {np.mean(losses):.3f} ({seconds:.0f} s)", err=True)


def accuracy(network: HighResolutionNet, images: Tensor, labels: Tensor) -> float:
    """Top-1 in percent."""
    network.eval()
    with torch.inference_mode():
        return 100 * float((network(images).argmax(1) == labels).double().mean())


def write_pictures(files: list[tuple[bytes, int]], out: Path) -> None:
    shutil.rmtree(out / "val", ignore_errors=True)
    (out / "val").mkdir(parents=True)
    lines = []
    for number, (file, label) in enumerate(files, start=1):
        name = f"sample_{number:04d}.jpg"
        (out / "val" / name).write_bytes(file)
        lines.append(f"{name} {label}\n")
    (out / "val_label.txt").write_text("".join(lines))
    (out / "classes.txt").write_text("".join(f"{kind.name}\n" for kind in CLASSES))


def write_checkpoint(network: HighResolutionNet, top1: float, path: Path) -> None:
    """The form of the official training script, under DataParallel's `module.` prefix, less the optimiser's state."""
    weights = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"epoch": EPOCHS, "model": "cls_hrnet", "state_dict": weights, "perf": top1}, path)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=SAMPLE, help="Folder to write; the shipped sample.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of initial weights and augmentation.")
def main(out: Path, seed: int) -> None:
    """Cut the pictures, train the narrow HRNet of the sample's config, and write all of it."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    config = read_config(SAMPLE / "config.yaml")
    size = config.image_size[0]
    network = HighResolutionNet(config)
    initialise(network)
    validation = pictures(True, VALIDATION_PER_REGION, seed=PICTURES_SEED)
    train(network, size)
    top1 = accuracy(network, *tensors(validation, size))
    swapped = accuracy(network, *tensors(validation, size, exchanged=True))
    write_pictures(validation, out)
    write_checkpoint(network, top1, out / "checkpoint.pth.tar")
    click.echo(
        f"top-1 of {len(validation)} pictures: {top1:.2f}%, with red and blue exchanged by mistake {swapped:.2f}%"
    )


if __name__ == "__main__":
    main()
