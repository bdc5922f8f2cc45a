"""Runs of the shapes model, and what the tests read from them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from porter.contracts.progress import Progress
from porter.contracts.rows import single
from porter.hosting.manager import create_registry
from porter.pipeline.begin import begin
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.run import Run
from porter.records.request import RunRequest
from segmentation import plugin
from segmentation.network import weights
from segmentation.shapes import write_shapes


def start(out: Path, inputs: Path, *plugins: tuple[str, object], fresh: bool = True, **options: Any) -> Run:
    """A run of the shapes model on what `write_inputs` wrote, quick to bench."""
    settings: dict[str, Any] = {
        "checkpoint": str(inputs / "shapes.pth"),
        "data": str(inputs / "images"),
        "labels": str(inputs / "masks"),
        "batch_sizes": (4,),
        "bench_seconds": 0.0,
        "threads": 1,
        **options,
    }
    registry = create_registry(plugins or [("segmentation", plugin)])
    request = RunRequest(model="shapes", **settings)
    return begin(out, request, registry, Progress(), "porter run shapes", fresh=fresh)


def write_inputs(folder: Path, count: int) -> Path:
    """Images, masks and the checkpoint."""
    import torch

    write_shapes(folder, count)
    torch.save({"state_dict": weights()}, folder / "shapes.pth")
    return folder


def rows(out: Path, evaluation: str) -> list[dict[str, str]]:
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["evaluation"] == evaluation]


def predicted(run: Run) -> dict[str, np.ndarray]:
    """The reference's mask of every readable image, by name."""
    found = {}
    for one in prepare(run.job.data):
        if one.arrays:
            scores = run.job.reference.run(single(one.arrays))["scores"]
            found[run.job.data.items[one.index].id] = scores[0].argmax(axis=0)
    return found


def iou_by_sets(truths: Sequence[np.ndarray], masks: Sequence[np.ndarray | None]) -> list[float]:
    """IoU in percent of each class, from sets of pixels; None is a mask without any pixel."""
    result = []
    for label in range(4):
        truth = {(n, *p) for n, mask in enumerate(truths) for p in np.argwhere(mask == label).tolist()}
        found = {(n, *p) for n, m in enumerate(masks) if m is not None for p in np.argwhere(m == label).tolist()}
        result.append(100 * len(truth & found) / len(truth | found))
    return result
