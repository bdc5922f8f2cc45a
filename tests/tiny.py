"""A tiny model plugin that really classifies: the class is the strongest colour channel. No config, no checkpoint."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from porter import hookimpl
from porter.contracts.progress import Progress
from porter.contracts.requests import Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.hosting.manager import create_registry
from porter.pipeline.begin import begin
from porter.pipeline.job.executor import Executor
from porter.pipeline.run import Run
from porter.records.loaded import LoadReport
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec

SIZE = 16
INSTALLED = importlib.metadata.entry_points(group="porter")
"""As it was before any test put a distribution of its own on the path."""
CLASSES = ("red", "green", "blue")
COLOURS = ((250, 40, 30), (40, 240, 60), (20, 60, 250))
SPEC = ModelSpec(
    name="tiny",
    task="classification",
    title="Strongest channel",
    inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(TensorSpec(name="class", shape=("N", len(CLASSES))),),
    preprocess=PreprocessSpec(resize=18, crop=(SIZE, SIZE), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    num_classes=len(CLASSES),
    class_names=CLASSES,
)


class TinyPlugin:
    """Each part can be replaced by a test."""

    def __init__(self, spec: ModelSpec = SPEC, network: Any = None) -> None:
        self.spec = spec
        self.network = network

    @hookimpl
    def porter_models(self) -> Sequence[ModelOffer]:
        return [ModelOffer(name="tiny", title="Tiny", variants=(self.spec,), needs_checkpoint=False)]

    @hookimpl
    def porter_describe(self, request: ModelRequest) -> ModelSpec:
        return self.spec

    @hookimpl
    def porter_load(self, request: LoadRequest) -> Loaded:
        network = self.network if self.network is not None else strongest_channel()
        count = len(network.state_dict())
        report = LoadReport(format="made here", safe=True, weights="", expected=count, loaded=count, parameters=12)
        return Loaded(spec=self.spec, module=network, report=report)


def strongest_channel() -> Any:
    """Mean of each channel through a diagonal layer."""
    import torch

    linear = torch.nn.Linear(3, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(3) * 4)
        linear.bias.zero_()
    return torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), linear).eval()


def write_photos(folder: Path, labels: Sequence[int], *, size: tuple[int, int] = (24, 20)) -> Path:
    """One noisy JPEG a label, in its colour, and `labels.txt` beside the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(3)
    lines = []
    for number, label in enumerate(labels):
        colour = np.array(COLOURS[label])
        noise = generator.integers(-20, 21, size=(size[1], size[0], 3))
        Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8)).save(folder / f"photo {number:03}.jpg")
        lines.append(f"photo {number:03}.jpg {label}")
    path = folder.parent / "labels.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@functools.cache
def runtime_plugins() -> tuple[tuple[str, Any], ...]:
    """The installed plugins that offer runtimes, core's own left out."""
    found = {point.name: point.load() for point in INSTALLED if not point.value.startswith("porter.")}
    return tuple((name, plugin) for name, plugin in sorted(found.items()) if hasattr(plugin, "porter_runtimes"))


def start(
    out: Path,
    data: Path | str,
    labels: Path | None,
    *,
    plugin: Any = None,
    fresh: bool = True,
    executor: Executor | None = None,
    beside: Sequence[tuple[str, object]] = (),
    progress: Progress | None = None,
    **options: Any,
) -> Run:
    """A run of the tiny model, quick to bench, with every installed runtime; `beside` are further plugins by name."""
    settings: dict[str, Any] = {"batch_sizes": (1, 4), "bench_seconds": 0.0, "threads": 1, **options}
    request = RunRequest(model="tiny", data=str(data), labels=None if labels is None else str(labels), **settings)
    own = [("tiny", plugin if plugin is not None else TinyPlugin()), *runtime_plugins()]
    registry = create_registry([*own, *(pair for pair in beside if pair[0] not in dict(own))])
    return begin(out, request, registry, progress or Progress(), "porter run tiny", fresh=fresh, executor=executor)
