"""The shipped sample: complete, small, honest in its split, and sensitive to the faults it must show."""

from __future__ import annotations

import importlib.util
import io
import itertools
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import porter_hrnet
from porter_hrnet.config import read_config
from porter_hrnet.network import HighResolutionNet

SAMPLE = Path(porter_hrnet.__file__).parent / "sample"
TRAINING = Path(__file__).resolve().parents[1] / "training"
MIB = 1 << 20


def labels() -> dict[str, int]:
    lines = (SAMPLE / "val_label.txt").read_text(encoding="ascii").splitlines()
    return {name: int(label) for name, label in (line.split(" ") for line in lines)}


@pytest.fixture(scope="module")
def photographs() -> ModuleType:
    """The module that cut the pictures (it needs scikit-image only to load a photograph)."""
    spec = importlib.util.spec_from_file_location("photographs", TRAINING / "photographs.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def checkpoint() -> dict[str, Any]:
    loaded: dict[str, Any] = torch.load(SAMPLE / "checkpoint.pth.tar", weights_only=True)
    return loaded


def test_every_picture_has_a_label_and_every_label_a_picture() -> None:
    lines = (SAMPLE / "val_label.txt").read_text(encoding="ascii").splitlines()
    assert len(lines) == len(labels()) >= 200
    assert sorted(labels()) == sorted(path.name for path in (SAMPLE / "val").iterdir())


def test_every_class_is_named_and_equally_frequent() -> None:
    names = (SAMPLE / "classes.txt").read_text(encoding="utf-8").splitlines()
    assert len(names) == len(set(names)) == read_config(SAMPLE / "config.yaml").num_classes >= 10
    counts = Counter(labels().values())
    assert sorted(counts) == list(range(len(names)))
    assert len(set(counts.values())) == 1


def test_the_first_pictures_show_many_classes() -> None:
    assert len(set(itertools.islice(labels().values(), 32))) >= 10  # what `--limit 32` would score


def test_pictures_differ_in_size_and_orientation(photographs: ModuleType) -> None:
    sizes = set()
    for path in (SAMPLE / "val").iterdir():
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.mode) == ("JPEG", "RGB")
            sizes.add(image.size)
    assert len(sizes) > 100
    assert all(photographs.LEAST_SIDE <= side <= photographs.MOST_SIDE for size in sizes for side in size)
    assert any(width > 1.4 * height for width, height in sizes)
    assert any(height > 1.4 * width for width, height in sizes)


def test_the_sample_is_small() -> None:
    assert sum(path.stat().st_size for path in (SAMPLE / "val").iterdir()) < 4 * MIB
    assert (SAMPLE / "checkpoint.pth.tar").stat().st_size < 4 * MIB


def test_every_photograph_is_accounted_for(photographs: ModuleType) -> None:
    origin = (SAMPLE / "ORIGIN.md").read_text(encoding="utf-8")
    for kind in photographs.CLASSES:
        assert f"| `{kind.photograph}` |" in origin
    names = (SAMPLE / "classes.txt").read_text(encoding="utf-8").splitlines()
    assert names == [kind.name for kind in photographs.CLASSES]


@pytest.mark.parametrize("size", [(512, 512), (770, 512), (587, 512), (512, 901)])
def test_no_pixel_serves_both_training_and_validation(photographs: ModuleType, size: tuple[int, int]) -> None:
    used = np.zeros((size[1], size[0]), int)
    for validation, cells in ((False, 12), (True, 4)):
        regions = photographs.regions(size, validation)
        assert len(regions) == cells
        for left, top, right, bottom in regions:
            assert right - left >= photographs.LEAST_SIDE and bottom - top >= photographs.LEAST_SIDE
            used[top:bottom, left:right] += 1
    assert used.max() == 1
    assert used.mean() > 0.8
    for one in photographs.regions(size, True):
        for other in photographs.regions(size, False) + photographs.regions(size, True):
            if one != other:
                across = max(one.left, other.left) - min(one.right, other.right)
                down = max(one.top, other.top) - min(one.bottom, other.bottom)
                assert max(across, down) >= 2 * photographs.MARGIN


def test_cuts_stay_in_their_region(photographs: ModuleType) -> None:
    """A photograph that is white inside one region and black outside gives white pictures only."""
    photograph = Image.new("RGB", (512, 512))
    region = photographs.regions(photograph.size, True)[0]
    photograph.paste((255, 255, 255), tuple(region))
    random = np.random.default_rng(0)
    for _ in range(50):
        picture = Image.open(io.BytesIO(photographs.cut(photograph, region, random)))
        assert np.asarray(picture).min() > 250


def test_checkpoint_has_the_official_form(checkpoint: dict[str, Any]) -> None:
    assert set(checkpoint) == {"epoch", "model", "state_dict", "perf"}
    assert checkpoint["model"] == "cls_hrnet"
    assert all(key.startswith("module.") for key in checkpoint["state_dict"])


def test_accuracy_and_what_exchanged_channels_cost(checkpoint: dict[str, Any]) -> None:
    config = read_config(SAMPLE / "config.yaml")
    network = HighResolutionNet(config).eval()
    network.load_state_dict({key.removeprefix("module."): value for key, value in checkpoint["state_dict"].items()})
    pixels = np.stack([centre(SAMPLE / "val" / name, config.image_size[0]) for name in labels()])
    truth = np.array(list(labels().values()))

    def accuracy(values: np.ndarray) -> float:
        normalised = (values - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
        with torch.inference_mode():
            logits = network(torch.from_numpy(normalised.astype(np.float32).transpose(0, 3, 1, 2)))
        return 100 * float((logits.argmax(1).numpy() == truth).mean())

    right = accuracy(pixels)
    assert 85 < right < 98
    assert right == pytest.approx(checkpoint["perf"], abs=0.4)  # one picture, whose two best logits may be close
    assert accuracy(pixels[..., ::-1]) < right - 40


def centre(path: Path, size: int) -> np.ndarray:
    """The official evaluation pipeline up to the scaling to 0..1; float (size, size, 3)."""
    with Image.open(path) as image:
        width, height = image.size
        short = int(size / 0.875)
        if width <= height:
            resized = image.resize((short, int(short * height / width)), Image.Resampling.BILINEAR)
        else:
            resized = image.resize((int(short * width / height), short), Image.Resampling.BILINEAR)
    left, top = round((resized.width - size) / 2), round((resized.height - size) / 2)
    return np.asarray(resized.crop((left, top, left + size, top + size))) / 255
