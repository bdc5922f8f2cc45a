"""The files that the cases name: checkpoints, images, labels, compiled files. Made once, in a few seconds."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from pictures import draw, folded, trained, write
from PIL import ImageOps
from rigged import CLASSES, SIDE, network

IMAGES = 64


def make(root: Path) -> None:
    make_data(root)
    make_weights(root)


def make_data(root: Path) -> None:
    random = np.random.default_rng(3)
    labels = [number % CLASSES for number in range(IMAGES)]
    images = draw(labels, 2)
    names = write(root / "val", images, lambda number: f"{number:03}.png")
    write(root / "mirrored", [ImageOps.mirror(image) for image in images], lambda number: f"{number:03}.png")
    write(root / "folders", images, lambda number: f"{labels[number]:02}/{number:03}.png")

    def label(name: str, given: list[int], of: list[str] = names) -> None:
        lines = [f"{image} {value}\n" for image, value in zip(of, given, strict=True)]
        (root / f"{name}.txt").write_text("".join(lines), encoding="utf-8")

    def subset(name: str, kept: list[int]) -> list[str]:
        (root / name).mkdir()
        for number in kept:
            shutil.copy(root / "val" / names[number], root / name)
        return [names[number] for number in kept]

    as_text = sorted(range(CLASSES), key=str)
    permuted = random.permutation(CLASSES).tolist()
    label("true", labels)
    label("text-sorted", [as_text.index(value) for value in labels])
    label("permuted", [permuted[value] for value in labels])
    label("random", random.permutation(labels).tolist())
    label("constant", [5] * IMAGES)
    drawn = {int(place): int(random.integers(1, CLASSES)) for place in random.choice(IMAGES, 18, replace=False)}
    label("partly-random", [(value + drawn.get(place, 0)) % CLASSES for place, value in enumerate(labels)])
    label("noisy", [(value + 3) % CLASSES if place % 20 == 7 else value for place, value in enumerate(labels)])

    kept = [number for number in range(IMAGES) if labels[number] < CLASSES - 1]
    label("shifted", [labels[number] + 1 for number in kept], subset("fifteen", kept))
    kept = [number for number in range(IMAGES) if labels[number] == 6]
    label("one", [6] * len(kept), subset("one", kept))
    label("two-labels", labels, subset("two-labels", list(range(IMAGES))))
    for number in range(1, 32, 2):  # the picture of one class under the label of the next
        shutil.copy(root / "val" / names[number - 1], root / "two-labels" / names[number])
    label("duplicates", labels, subset("duplicates", list(range(IMAGES))))
    for number in range(CLASSES, IMAGES):
        shutil.copy(root / "val" / names[number % CLASSES], root / "duplicates" / names[number])
    label("unreadable", labels, subset("unreadable", list(range(IMAGES))))
    for number in range(0, IMAGES, 16):
        path = root / "unreadable" / names[number]
        path.write_bytes(path.read_bytes()[:900])


def make_weights(root: Path) -> None:
    import torch
    from safetensors.torch import save_file

    net = trained()
    state = net.state_dict()
    generator = torch.Generator().manual_seed(0)

    def noisy(share: float) -> dict[str, Any]:
        """The weights with noise of that share of their own deviation."""
        return {
            name: value + share * value.std() * torch.randn(value.shape, generator=generator)
            if name.endswith("weight") and value.dim() > 1
            else value
            for name, value in state.items()
        }

    def save(name: str, content: Any) -> None:
        torch.save(content, root / name)

    def changed(name: str, value: Any) -> dict[str, Any]:
        return {**state, name: value}

    head = state["7.weight"]
    torch.manual_seed(4)
    drawn = network().state_dict()["3.weight"]
    fresh = {name: torch.zeros_like(v) if "running_mean" in name else v for name, v in state.items()}
    fresh = {name: torch.ones_like(v) if "running_var" in name else v for name, v in fresh.items()}
    save("plain.pth", {"epoch": 14, "state_dict": state})
    save("bare.pth", state)
    save("module.pth", {"state_dict": {f"module.{name}": value for name, value in state.items()}})
    save("model.pth", {"model": state, "epoch": 14})
    save_file({name: value.contiguous() for name, value in state.items()}, root / "plain.safetensors")
    save("ema.pth", {"state_dict": state, "state_dict_ema": noisy(0.05)})
    save("folded.pth", {"state_dict": folded(net)})
    save("zero-head.pth", {"state_dict": {**state, "7.weight": torch.zeros_like(head), "7.bias": torch.zeros(CLASSES)}})
    save("constant-layer.pth", {"state_dict": changed("3.weight", torch.full_like(state["3.weight"], 0.01))})
    save("drawn-layer.pth", {"state_dict": changed("3.weight", drawn)})
    save("no-variance.pth", {"state_dict": changed("4.running_var", torch.zeros(16))})
    save("fresh-statistics.pth", {"state_dict": fresh})
    save("stated.pth", {"state_dict": noisy(1.0), "best_acc1": 99.2})
    save("stated-true.pth", {"state_dict": state, "best_acc1": 99.2})

    def export(name: str, entries: dict[str, Any]) -> None:
        net.load_state_dict(entries)
        how: dict[str, Any] = {"input_names": ["image"], "output_names": ["class"], "opset_version": 11}
        axes = {"image": {0: "N"}, "class": {0: "N"}}
        image = torch.zeros(1, 3, SIDE, SIDE)
        with warnings.catch_warnings():  # that this exporter is the older one
            warnings.simplefilter("ignore")
            torch.onnx.export(net.eval(), (image,), str(root / name), dynamic_axes=axes, dynamo=False, **how)

    export("stale.onnx", changed("7.weight", head * 1.03))
    export("epoch.onnx", noisy(0.05))
    export("right.onnx", state)
