"""A model of two inputs, an image and numbers about it, as an author writes it in one file: two classes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

import porter

SPEC = porter.ModelSpec(
    name="exposed",
    task="exposure",
    num_classes=2,
    inputs=(
        porter.TensorSpec(name="image", shape=("N", 3, 16, 16)),
        porter.TensorSpec(name="exposure", shape=("N", 2)),
    ),
    outputs=(porter.TensorSpec(name="class", shape=("N", 2)),),
)


class Exposure(porter.Classification):
    """Classes of an image with a file of numbers beside it."""

    name, title = "exposure", "Exposure"
    needs_sizes = False

    def manifest(self, request):
        ids = list(porter.list_images(request.data))
        labels = json.loads(Path(request.labels).read_text())
        return porter.Manifest(
            root=str(request.data.resolve()),
            items=tuple(porter.Item(name, labels[name], others=(f"{name[:-4]}.json",)) for name in ids),
            found=len(ids),
            selection="all images",
            labels_from="labels.json",
        )


@porter.hookimpl
def porter_models():
    return [porter.ModelOffer(name="exposed", title="Too bright or not", variants=(), needs_checkpoint=False)]


@porter.hookimpl
def porter_describe(request):
    return SPEC


@porter.hookimpl
def porter_load(request):
    import torch

    class Exposed(torch.nn.Module):
        def forward(self, image, exposure):
            light = image.mean(dim=(1, 2, 3)) * exposure[:, 0] + exposure[:, 1]
            return torch.stack([0.5 - light, light - 0.5], dim=1)

    report = porter.LoadReport(format="made here", safe=True, weights="", expected=0, loaded=0, parameters=0)
    return porter.Loaded(spec=request.spec, module=Exposed().eval(), report=report)


@porter.hookimpl
def porter_read(item, store):
    from PIL import Image

    with Image.open(io.BytesIO(store.read(item.file))) as image:
        pixels = np.asarray(image.convert("RGB"))
    return pixels, json.loads(store.read(item.others[0]))


@porter.hookimpl
def porter_preprocess(sample):
    pixels, numbers = sample
    image = pixels[:16, :16].astype(np.float32).transpose(2, 0, 1) / 255
    return {"image": image, "exposure": np.array([numbers["gain"], numbers["bias"]], np.float32)}


@porter.hookimpl
def porter_reference(sample):
    pixels, numbers = sample
    image = np.stack([pixels[:16, :16, c] / np.float32(255) for c in range(3)]).astype(np.float32)
    return {"image": image, "exposure": np.array([numbers["gain"], numbers["bias"]], np.float32)}


@porter.hookimpl
def porter_tasks():
    return [Exposure()]


@porter.hookimpl
def porter_postprocess(outputs, spec):
    return porter.classify(outputs["class"])
