"""Runs of the plugin as core makes them, on synthetic images or on photographs beside the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from porter import Run, testing
from porter_efficientnet_lite import plugin
from porter_efficientnet_lite.published import TABLE
from porter_efficientnet_lite.weights import package_of, packaged_weights

PHOTOS = Path(__file__).resolve().parents[3] / "../shared/data/imagenet-sample"

Start = Callable[..., Run]


@pytest.fixture(params=TABLE)
def model(request: pytest.FixtureRequest) -> str:
    """The name of each model in turn."""
    return str(request.param)


@pytest.fixture
def weights(model: str) -> Path:
    """The packaged checkpoint of `model`."""
    path = packaged_weights(model)
    if path is None:
        pytest.skip(f"{package_of(model)} is not installed")
    return path


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Begin a run with this plugin and core's own, whatever else is installed."""

    def begin_run(model: str, **options: Any) -> Run:
        settings: dict[str, Any] = {"batch_sizes": (4,), "bench_seconds": 0.0, **options}
        return testing.start_run(tmp_path / "out", plugin, model=model, **settings)

    return begin_run


@pytest.fixture
def noise(tmp_path: Path) -> dict[str, str]:
    """`data` and `labels` of six images of smooth noise, of several shapes."""
    folder = tmp_path / "val"
    folder.mkdir()
    generator = np.random.default_rng(7)
    for number, size in enumerate([(320, 260), (300, 300), (270, 410), (256, 256), (500, 375), (262, 300)]):
        coarse = Image.fromarray(generator.integers(0, 256, (12, 12, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"{number}.png {number}\n" for number in range(6)))
    return {"data": str(folder), "labels": str(labels)}


@pytest.fixture
def photos() -> dict[str, str]:
    """`data` and `labels` of 1000 photographs, one of each ImageNet class."""
    if not PHOTOS.is_dir():
        pytest.skip("the photographs are not here")
    return {"data": str(PHOTOS / "val"), "labels": str(PHOTOS / "val_label.txt")}
