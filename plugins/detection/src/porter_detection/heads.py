"""The outputs of detectors as they are exported, to boxes in pixels of the image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from porter import ModelSpec, PluginError, Source, one_line, to_image
from porter_detection.boxes import Detected, detected, suppressed
from porter_detection.settings import Head, Settings, settings_of
from porter_detection.text_map import text_boxes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Found = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]
    """Boxes K×4 (x1 y1 x2 y2), classes K, scores K."""

ROW = 6
"""Numbers of a row of a graph with NMS inside: x1 y1 x2 y2 score class."""
CANDIDATES = 30_000
"""Boxes that non-maximum suppression looks at, the best of an image, as in Ultralytics' `non_max_suppression`."""
NAMES = {
    "boxes": ("box", "bbox", "loc"),
    "scores": ("score", "conf", "prob"),
    "labels": ("label", "class", "categor"),
}
"""What the names of outputs hold, by their meaning."""


def boxes_of(outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]) -> list[Detected]:
    """One prediction for each of the N samples.

    Which form the outputs have is told by their names and shapes, see `head_of`. Boxes are mapped to pixels of the
    image by the transform of `spec.preprocess` and cut off at its edges; what is empty then is left out.
    Raises `PluginError` where no form fits, naming the outputs.
    """
    settings = settings_of(spec)
    head = settings.head or head_of({name: _shape(values) for name, values in outputs.items()}, spec)
    if head is None:
        raise PluginError(f"{unknown(outputs, spec)}. {WAY_OUT}")
    found = []
    for row, source in enumerate(sources):
        boxes, classes, scores = _of_sample(head, outputs, row, spec, settings)
        boxes = in_image(boxes, spec, source)
        wide = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        found.append(detected(boxes[wide], classes[wide], scores[wide], settings.most))
    return found


WAY_OUT = "Name the form in the fact 'Box head' of the spec, or answer porter_postprocess in the model's plugin"


def unknown(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> str:
    """That the outputs are none of the forms."""
    shown = ", ".join(f"{one_line(name)} {_by(_shape(values))}" for name, values in outputs.items()) or "none"
    return f"task 'detection': no form of boxes known here fits the outputs ({shown}) and {spec.num_classes} classes"


def head_of(shapes: Mapping[str, tuple[int, ...]], spec: ModelSpec) -> Head | None:
    """Which form the outputs have, from their shapes (N×…; -1: of its own for each sample); None: none that is known.

    `rows`: one output K×6 (x1 y1 x2 y2 score class), of a graph with NMS inside. `apart`: outputs for boxes, scores
    and, of a graph with NMS inside, labels. `yolov8`: N×(4+C)×A. `yolov5`: N×A×(5+C). `text map`: N×1×H×W.
    """
    roles = roles_of(shapes)
    if {"boxes", "scores"} <= set(roles):
        return "apart"
    first = spec.outputs[0]
    shape, classes = shapes.get(first.name, ()), spec.num_classes or 0
    if len(shape) == 3 and shape[2] == ROW and (first.is_listed or classes != 1):
        return "rows"
    if len(shape) == 3 and 4 + classes in shape[1:] and (shape[1] == 4 + classes or shape[2] != 5 + classes):
        return "yolov8"
    if len(shape) == 3 and shape[2] == 5 + classes:
        return "yolov5"
    return "text map" if len(shape) == 4 and shape[1] == 1 and classes == 1 else None


def roles_of(names: Mapping[str, object]) -> dict[str, str]:
    """Names of outputs by their meaning: `boxes`, `scores`, `labels`, where there are at least two."""
    roles: dict[str, str] = {}
    for name in names:
        for role, parts in NAMES.items():
            if role not in roles and any(part in name.lower() for part in parts):
                roles[role] = name
                break
    return roles if len(names) > 1 else {}


def in_image(boxes: NDArray[np.float64], spec: ModelSpec, source: Source) -> NDArray[np.float64]:
    """Boxes K×4 in pixels of the input, in those of the image and within it; the same where it is no image."""
    if spec.preprocess is None or source.size is None:
        return boxes
    transform = to_image(spec.preprocess, source.size, source.item.box)
    half = 0.5 if spec.preprocess.fit == "box" else 0.0  # its transform counts from the middle of the first pixel
    corners = (boxes.reshape(-1, 2, 2) - half) @ transform[:, :2].T + transform[:, 2] + half
    height, width = source.size
    return np.clip(corners, 0, (width, height)).reshape(-1, 4)


def _of_sample(head: Head, outputs: Mapping[str, np.ndarray], row: int, spec: ModelSpec, settings: Settings) -> Found:
    """The boxes of one sample, in pixels of the input."""
    if head == "apart":
        return _apart(outputs, row, spec, settings)
    values = np.asarray(outputs[spec.outputs[0].name][row], np.float64)
    if head == "text map":
        plane = values.reshape(values.shape[-2:])
        boxes, scores = text_boxes(plane)
        return boxes * _stride(plane, spec), np.zeros(len(boxes), np.int64), scores
    if head == "rows":
        rows = values.reshape(-1, ROW)
        rows = rows[rows[:, 4] >= settings.least_score]
        return _unordered(rows[:, :4], settings, spec), _classes(rows[:, 5], settings, spec), rows[:, 4]
    classes = spec.num_classes or 0
    if head == "yolov8":
        table = values if values.shape[1] == 4 + classes and values.shape[0] != 4 + classes else values.T
        middles, scores = table[:, :4], table[:, 4:]
    else:
        middles, scores = values[:, :4], values[:, 5:] * values[:, 4:5]
    half = middles[:, 2:] / 2
    boxes = np.concatenate([middles[:, :2] - half, middles[:, :2] + half], axis=1)
    return _best(boxes * _unit(settings, spec), scores, settings)


def _apart(outputs: Mapping[str, np.ndarray], row: int, spec: ModelSpec, settings: Settings) -> Found:
    """Boxes K×4, scores K and labels K after NMS; or boxes A×4 and scores A×C before it."""
    roles = roles_of(outputs)
    boxes = np.asarray(outputs[roles["boxes"]][row], np.float64).reshape(-1, 4)
    scores = np.asarray(outputs[roles["scores"]][row], np.float64)
    boxes = _unordered(boxes, settings, spec)
    if "labels" not in roles:
        scores = scores.reshape(len(boxes), -1)
        if scores.shape[1] == (spec.num_classes or 0) + 1:  # torchvision's SSD and others: the first is the background
            scores = scores[:, 1:]
        return _best(boxes, scores, settings)
    scores, labels = scores.reshape(-1), np.asarray(outputs[roles["labels"]][row]).reshape(-1)
    if not len(boxes) == len(scores) == len(labels):
        raise PluginError(
            f"task 'detection': {len(boxes)} boxes, {len(scores)} scores and {len(labels)} labels for one image; "
            "give all three outputs the same index_column or counts"
        )
    good = scores >= settings.least_score
    return boxes[good], _classes(labels[good], settings, spec), scores[good]


def _best(boxes: NDArray[np.float64], scores: NDArray[np.float64], settings: Settings) -> Found:
    """Candidates A×4 and A×C after the threshold and non-maximum suppression; a box may have several classes."""
    rows, classes = np.nonzero(scores >= max(settings.least_score, np.finfo(np.float64).tiny))
    values = scores[rows, classes]
    if len(values) > CANDIDATES:
        best = np.sort(np.argsort(-values, kind="stable")[:CANDIDATES])
        rows, classes, values = rows[best], classes[best], values[best]
    kept = suppressed(boxes[rows], classes, values, settings.iou, settings.most)
    return boxes[rows[kept]], classes[kept].astype(np.int64), values[kept]


def _unordered(boxes: NDArray[np.float64], settings: Settings, spec: ModelSpec) -> NDArray[np.float64]:
    """Boxes in the spec's order and unit as x1 y1 x2 y2 in pixels of the input."""
    if settings.order == "yxyx":
        boxes = boxes[:, [1, 0, 3, 2]]
    elif settings.order == "xywh":
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return boxes * _unit(settings, spec)


def _unit(settings: Settings, spec: ModelSpec) -> NDArray[np.float64]:
    """What turns coordinates into pixels of the input."""
    if not settings.normalised or spec.preprocess is None:
        return np.ones(4)
    height, width = spec.preprocess.crop
    return np.array([width, height, width, height], np.float64)


def _stride(plane: NDArray[np.float64], spec: ModelSpec) -> NDArray[np.float64]:
    """Pixels of the input in one of a map that may be coarser, across and down, twice."""
    if spec.preprocess is None or spec.preprocess.is_free:
        return np.ones(4)
    (height, width), (rows, columns) = spec.preprocess.crop, plane.shape
    return np.array([width / columns, height / rows] * 2)


def _classes(values: np.ndarray, settings: Settings, spec: ModelSpec) -> NDArray[np.int64]:
    """Class indices. Raises `PluginError` for one that the model does not have."""
    found = np.rint(np.asarray(values, np.float64)).astype(np.int64) - settings.label_offset
    count = spec.num_classes or math.inf
    wrong = found[(found < 0) | (found >= count)]
    if len(wrong):
        raise PluginError(
            f"task 'detection': the outputs say class {wrong[0] + settings.label_offset}, the model has "
            f"{spec.num_classes} from {settings.label_offset} on; the fact 'First class' says where they begin"
        )
    return found


def _shape(values: np.ndarray) -> tuple[int, ...]:
    """Sizes; of rows with a number of their own, -1 for it."""
    if values.dtype.kind != "O":
        return tuple(values.shape)
    inner = values[0].shape if len(values) else ()
    return (len(values), -1, *inner[1:])


def _by(shape: Sequence[int]) -> str:
    return "×".join("K" if size < 0 else str(size) for size in shape)
