"""Random boxes with their labels, and small sets of images on disk, for the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from porter import ModelSpec, PreprocessSpec, TensorSpec
from porter_detection.boxes import Detected, detected
from porter_detection.truth import Labelled, Truth

NAMES = ("cat", "dog", "bird")


def random_set(images: int, seed: int = 0, ties: bool = False) -> tuple[list[Truth], list[Detected | None]]:
    """Labels with crowds, large and small, and boxes near them and anywhere; up to 150 in an image, in some none."""
    random = np.random.default_rng(seed)
    truths, found = list[Truth](), list[Detected | None]()
    for number in range(images):
        count = int(random.integers(0, 8))
        corner = random.random((count, 2)) * 200
        boxes = np.concatenate([corner, corner + np.exp(random.random((count, 2)) * 5) + 2], axis=1)
        kinds = random.integers(0, len(NAMES), count)
        truths.append(
            Truth((640, 480), tuple(_labelled(box, kind, random) for box, kind in zip(boxes, kinds, strict=True)))
        )
        more = int(random.integers(0, 150))
        corner = random.random((more, 2)) * 300
        far = np.concatenate([corner, corner + random.random((more, 2)) * 90], axis=1)
        near = boxes + random.normal(0, 3, boxes.shape) * (boxes[:, 2:] - boxes[:, :2]).repeat(2, axis=1) / 40
        scores = random.random(count + more)
        scores[count:] *= 0.6
        scores = np.round(scores, 2) if ties else scores
        classes = np.concatenate([kinds, random.integers(0, len(NAMES), more)])
        found.append(None if number == 3 else detected(np.concatenate([near, far]), classes, scores, 1000))
    return truths, found


def _labelled(box: np.ndarray, kind: int, random: np.random.Generator) -> Labelled:
    x1, y1, x2, y2 = box.tolist()
    area = (x2 - x1) * (y2 - y1) * random.uniform(0.6, 1.0)
    return Labelled(int(kind), (x1, y1, x2 - x1, y2 - y1), area, bool(random.random() < 0.1))


def spec_of(**changes: Any) -> ModelSpec:
    """A detector of three classes."""
    settings: dict[str, Any] = {
        "name": "tried",
        "task": "detection",
        "inputs": (TensorSpec(name="image", shape=("N", 3, 64, 64)),),
        "outputs": (TensorSpec(name="found", shape=("N", 7, 84)),),
        "preprocess": PreprocessSpec(fit="letterbox", crop=(64, 64)),
        "num_classes": len(NAMES),
        "class_names": NAMES,
        **changes,
    }
    return ModelSpec(**settings)


def write_images(folder: Path, names: Sequence[str], size: tuple[int, int] = (80, 60)) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (10 * number % 256, 90, 40)).save(folder / name)
    return folder


def coco(**changes: Any) -> dict[str, Any]:
    """A file of two images: two boxes, one of them a crowd, and none."""
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "a.jpg", "width": 80, "height": 60},
            {"id": 9, "file_name": "b.jpg", "width": 80, "height": 60},
        ],
        "annotations": [
            {"id": 0, "image_id": 7, "category_id": 90, "bbox": [1, 2, 30, 20.5], "area": 500, "iscrowd": 0,
             "segmentation": [[1, 2, 3, 4, 5, 6]]},
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 80, 60], "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "Cat"}, {"id": 17, "name": "dog"}, {"id": 90, "name": "bird"}],
        **changes,
    }  # fmt: skip


def write_coco(folder: Path, **changes: Any) -> Path:
    path = folder / "instances.json"
    path.write_text(json.dumps(coco(**changes)), encoding="utf-8")
    return path
