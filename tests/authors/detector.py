"""A detector of bright tiles, as an author writes it in one file: as many boxes as an image has, and its task."""

from __future__ import annotations

import json
from pathlib import Path

import porter

SIZE, TILE = 64, 8
SPEC = porter.ModelSpec(
    name="tiles",
    task="tile-detection",
    inputs=(porter.TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(porter.TensorSpec(name="boxes", shape=("K", 6), index_column=0),),
    preprocess=porter.PreprocessSpec(
        fit="letterbox", crop=(SIZE, SIZE), interpolation="nearest", pad_at="end", mean=(0.0,) * 3, std=(1.0,) * 3
    ),
)


class Found(porter.Scorer):
    """F1 of the tiles of all images."""

    def __init__(self):
        self.counts = []

    def add(self, item, prediction):
        wanted, got = set(json.loads(item.label)), set(prediction or ())
        self.counts.append((len(wanted & got), len(wanted), len(got)))
        return 1.0 if wanted == got else 0.0

    def metrics(self):
        return (porter.Metric(name="f1", title="F1", value=self.f1([1] * len(self.counts)), count=len(self.counts)),)

    def resampled(self, weights):
        return self.f1(weights)

    def f1(self, weights):
        hits, wanted, got = (sum(w * one[k] for w, one in zip(weights, self.counts, strict=True)) for k in range(3))
        return 200 * hits / max(wanted + got, 1)


class TileDetection(porter.Task):
    name, title, gate, answer_name = "tile-detection", "Detection of tiles", "f1", "tiles"
    columns = ("tiles",)
    prediction_type = tuple[str, ...]

    def manifest(self, request):
        labels = json.loads(Path(request.labels).read_text())
        ids = porter.list_images(request.data)
        return porter.Manifest(
            root=str(request.data.resolve()),
            items=tuple(porter.Item(name, json.dumps(labels[name])) for name in ids),
            found=len(ids),
            selection="all images",
            labels_from="tiles.json",
        )

    def scorer(self, spec, manifest):
        return Found()

    def row(self, prediction):
        return [" ".join(prediction)]

    def answer(self, prediction):
        return prediction


@porter.hookimpl
def porter_models():
    return [porter.ModelOffer(name="tiles", title="Detector of bright tiles", variants=(), needs_checkpoint=False)]


@porter.hookimpl
def porter_describe(request):
    return SPEC


@porter.hookimpl
def porter_load(request):
    import torch

    class Tiles(torch.nn.Module):
        def forward(self, image):
            light = torch.nn.functional.avg_pool2d(image.mean(dim=1, keepdim=True), TILE)[:, 0]
            place = (light > 0.5).nonzero()
            corner = place[:, 1:].flip(1) * TILE
            score = light[place[:, 0], place[:, 1], place[:, 2]]
            return torch.cat([place[:, :1].float(), corner.float(), corner.float() + TILE, score[:, None]], dim=1)

    report = porter.LoadReport(format="made here", safe=True, weights="", expected=0, loaded=0, parameters=0)
    return porter.Loaded(spec=request.spec, module=Tiles().eval(), report=report)


@porter.hookimpl
def porter_tasks():
    return [TileDetection()]


@porter.hookimpl
def porter_postprocess(outputs, spec, sources):
    found = []
    for boxes, source in zip(outputs["boxes"], sources, strict=True):
        turn = porter.to_image(spec.preprocess, source.size)
        corners = boxes[:, :2] @ turn[:, :2].T + turn[:, 2]
        found.append(tuple(sorted(f"{x:.0f},{y:.0f}" for x, y in corners)))
    return found
