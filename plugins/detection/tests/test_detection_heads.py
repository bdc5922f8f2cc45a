"""The outputs of detectors as they are exported, to boxes in pixels of the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from detection_sets import spec_of

from porter import Item, ModelSpec, PluginError, PreprocessSpec, Source, TensorSpec, ragged
from porter_detection.boxes import Detected
from porter_detection.heads import boxes_of, head_of
from porter_detection.plugin import porter_postprocess

SQUASH = PreprocessSpec(resize=64, squash=(64, 64), crop=(64, 64))
ROWS = TensorSpec(name="found", shape=("K", 7), index_column=0)


def sources(*sizes: tuple[int, int]) -> list[Source]:
    return [Source(item=Item(f"{number}.jpg", ""), size=size) for number, size in enumerate(sizes)]


def found(outputs: dict[str, Any], spec: ModelSpec, sizes: Sequence[tuple[int, int]]) -> list[Detected]:
    return boxes_of(outputs, spec, sources(*sizes))


def v8(rows: Sequence[Sequence[float]], anchors: int = 84) -> np.ndarray:
    """Boxes (cx cy w h, one score a class) among empty cells: 7×A."""
    table = np.zeros((anchors, 7), np.float32)
    table[:, 2:4] = 1
    table[5 : 5 + len(rows)] = rows
    return table.T


@pytest.mark.parametrize(
    ("preprocess", "size", "expected"),
    [
        # 200×100 (wide) in 64×64 by letterbox: scale 0.32, 16 rows of padding above
        (PreprocessSpec(fit="letterbox", crop=(64, 64)), (100, 200), (50.0, 0.0, 150.0, 100.0)),
        (PreprocessSpec(fit="letterbox", crop=(64, 64), pad_at="end"), (100, 200), (50.0, 50.0, 150.0, 100.0)),
        (PreprocessSpec(fit="letterbox", crop=(64, 64), enlarge=False), (32, 64), (16.0, 0.0, 48.0, 32.0)),
        (SQUASH, (100, 200), (50.0, 25.0, 150.0, 75.0)),
        # short side 80, the centre 64×64 of 80×160
        (PreprocessSpec(resize=80, crop=(64, 64)), (100, 200), (80.0, 30.0, 120.0, 70.0)),
    ],
)
def test_boxes_come_back_in_pixels_of_the_image(
    preprocess: PreprocessSpec, size: tuple[int, int], expected: tuple[float, ...]
) -> None:
    spec = spec_of(preprocess=preprocess)
    (one,) = found({"found": v8([[32, 32, 32, 32, 0, 0.9, 0]])[None]}, spec, [size])
    assert one.classes == (1,) and one.scores == pytest.approx((0.9,))
    assert one.boxes[0] == pytest.approx(expected)


def test_boxes_end_at_the_image_and_what_lies_beside_it_is_gone() -> None:
    outputs = {"found": v8([[0, 20, 20, 20, 0.9, 0, 0], [32, 4, 10, 4, 0.8, 0, 0]])[None]}
    (one,) = found(outputs, spec_of(), [(100, 200)])  # the second box is in the padding
    assert one.boxes == (pytest.approx((0, 0, 31.25, 43.75)),)


@pytest.mark.parametrize("head", ["yolov8", "yolov8 transposed", "yolov5"])
def test_raw_heads(head: str) -> None:
    rows = [[20, 20, 20, 20, 0.9, 0.6, 0], [21, 20, 20, 20, 0.7, 0.1, 0], [50, 50, 10, 10, 0, 0, 0.0005]]
    values = v8(rows)
    if head == "yolov8 transposed":
        values = values.T
    elif head == "yolov5":
        values = np.insert(values.T, 4, 0.5, axis=1)
    spec = spec_of(outputs=(TensorSpec(name="found", shape=("N", *values.shape)),), preprocess=SQUASH)
    (one,) = found({"found": values[None]}, spec, [(64, 64)])
    factor = 0.5 if head == "yolov5" else 1.0
    # the second box is suppressed in class 0, and in class 1, whose best is that of the first; the third is too weak
    assert one.classes == (0, 1) and one.scores == pytest.approx((0.9 * factor, 0.6 * factor))
    assert one.boxes == ((10, 10, 30, 30), (10, 10, 30, 30))


def test_thresholds_are_facts() -> None:
    rows = [[20, 20, 20, 20, 0.9, 0, 0], [24, 20, 20, 20, 0.8, 0, 0], [50, 50, 10, 10, 0.2, 0, 0]]
    outputs = {"found": v8(rows)[None]}
    for facts, count in (
        ({}, 3),
        ({"NMS IoU": "0.5"}, 2),
        ({"NMS score": "0.3"}, 2),
        ({"Boxes": "1"}, 1),
        ({"NMS IoU": "0.5", "NMS score": "0.3"}, 1),
    ):
        (one,) = found(outputs, spec_of(facts=facts, preprocess=SQUASH), [(64, 64)])
        assert len(one.boxes) == count, facts


def test_a_graph_with_nms_inside_gives_rows_of_each_image() -> None:
    spec = spec_of(outputs=(ROWS,), preprocess=SQUASH)
    lists = [np.array([[1, 2, 3, 4, 0.5, 2], [5, 6, 9, 8, 0.9, 0]], np.float32), np.zeros((0, 6), np.float32)]
    first, second = found({"found": ragged(lists, listed=True)}, spec, [(64, 64), (64, 64)])
    assert first == Detected(((5, 6, 9, 8), (1, 2, 3, 4)), (0, 2), (pytest.approx(0.9), 0.5))
    assert second == Detected((), (), ()), "no boxes are an answer"


def test_rows_may_be_padded_to_a_number() -> None:
    spec = spec_of(outputs=(TensorSpec(name="found", shape=("N", 3, 6)),), preprocess=SQUASH)
    values = np.zeros((1, 3, 6), np.float32)
    values[0, 0] = [1, 2, 3, 4, 0.5, 2]
    assert found({"found": values}, spec, [(64, 64)])[0].boxes == ((1, 2, 3, 4),)


@pytest.mark.parametrize("listed", [True, False])
def test_boxes_scores_and_labels_apart(listed: bool) -> None:
    names = ("out_boxes", "out_scores", "out_labels")
    shapes = (("N", 3, 4), ("N", 3), ("N", 3))
    tensors = tuple(
        TensorSpec(name=n, shape=s, counts="count" if listed else "") for n, s in zip(names, shapes, strict=True)
    )
    spec = spec_of(outputs=tensors, preprocess=SQUASH, facts={"First class": "1"})
    boxes = np.array([[0, 0, 10, 10], [5, 5, 20, 20], [0, 0, 0, 0]], np.float32)
    scores, labels = np.array([0.4, 0.8, 0.0], np.float32), np.array([1, 3, 0])
    outputs = dict(zip(names, (boxes, scores, labels), strict=True))
    if listed:
        outputs = {name: ragged([values[:2]], listed=True) for name, values in outputs.items()}
    else:
        outputs = {name: values[None] for name, values in outputs.items()}
    (one,) = found(outputs, spec, [(64, 64)])
    assert one.classes == (2, 0) and one.boxes == ((5, 5, 20, 20), (0, 0, 10, 10))


def test_the_order_and_the_unit_of_coordinates_are_facts() -> None:
    spec = spec_of(outputs=(ROWS,), preprocess=SQUASH, facts={"Box order": "yxyx", "Box unit": "share"})
    rows = np.array([[0.25, 0.5, 0.75, 1.0, 0.5, 2]], np.float32)
    assert found({"found": ragged([rows], listed=True)}, spec, [(64, 64)])[0].boxes == ((32, 16, 64, 48),)
    spec = spec_of(outputs=(ROWS,), preprocess=SQUASH, facts={"Box order": "xywh"})
    rows = np.array([[8, 16, 4, 2, 0.5, 2]], np.float32)
    assert found({"found": ragged([rows], listed=True)}, spec, [(64, 64)])[0].boxes == ((8, 16, 12, 18),)


def test_boxes_and_scores_of_all_cells() -> None:
    tensors = (TensorSpec(name="scores", shape=("N", 9, 4)), TensorSpec(name="boxes", shape=("N", 9, 4)))
    boxes, scores = np.tile(np.array([0, 0, 10, 10], np.float32), (1, 9, 1)), np.zeros((1, 9, 4), np.float32)
    boxes[0, 4] = [20, 20, 40, 40]
    scores[0, 4, 2], scores[0, 3, 0] = 0.75, 1.0  # four columns for three classes: the first is the background
    (one,) = found({"scores": scores, "boxes": boxes}, spec_of(outputs=tensors, preprocess=SQUASH), [(64, 64)])
    assert (one.boxes, one.classes, one.scores) == (((20, 20, 40, 40),), (1,), (0.75,))


def test_a_map_of_text_gives_the_boxes_of_its_lines() -> None:
    plane = np.zeros((1, 1, 64, 64), np.float32)
    plane[0, 0, 20:28, 10:50] = 0.9
    plane[0, 0, 40:42, 10:12] = 0.9  # too small for a line
    spec = spec_of(
        outputs=(TensorSpec(name="map", shape=("N", 1, 64, 64)),),
        num_classes=1,
        class_names=("text",),
        preprocess=SQUASH,
    )
    (one,) = found({"map": plane}, spec, [(128, 64)])
    assert one.classes == (0,) and one.scores[0] == pytest.approx(0.78, abs=0.1)  # its edge is dilated
    x1, y1, x2, y2 = one.boxes[0]
    assert x1 < 10 and x2 > 50 and y1 < 40 and y2 > 56, "wider than the shrunk line, in pixels of the image"
    assert x1 > 0 and y2 < 80


@pytest.mark.parametrize(
    ("shapes", "outputs", "classes", "head"),
    [
        ({"o": (1, 84, 8400)}, (TensorSpec(name="o", shape=("N", 84, 8400)),), 80, "yolov8"),
        ({"o": (1, 8400, 84)}, (TensorSpec(name="o", shape=("N", 8400, 84)),), 80, "yolov8"),
        ({"o": (1, 25200, 85)}, (TensorSpec(name="o", shape=("N", 25200, 85)),), 80, "yolov5"),
        ({"o": (1, 300, 6)}, (TensorSpec(name="o", shape=("N", 300, 6)),), 80, "rows"),
        ({"o": (1, 300, 6)}, (TensorSpec(name="o", shape=("N", 300, 6)),), 1, "yolov5"),
        ({"o": (1, -1, 6)}, (TensorSpec(name="o", shape=("K", 7), index_column=0),), 1, "rows"),
        ({"o": (1, 5, 8400)}, (TensorSpec(name="o", shape=("N", 5, 8400)),), 1, "yolov8"),
        ({"o": (1, 10)}, (TensorSpec(name="o", shape=("N", 10)),), 10, None),
    ],
)
def test_the_form_is_told_by_names_and_shapes(
    shapes: dict[str, tuple[int, ...]], outputs: tuple[TensorSpec, ...], classes: int, head: str | None
) -> None:
    assert head_of(shapes, spec_of(outputs=outputs, num_classes=classes, class_names=())) == head


def test_what_fits_no_form_is_named() -> None:
    spec = spec_of(outputs=(TensorSpec(name="found", shape=("N", 10)),))
    with pytest.raises(PluginError, match=r"no form of boxes known here fits the outputs \(found 1×10\) and 3 classes"):
        found({"found": np.zeros((1, 10), np.float32)}, spec, [(64, 64)])
    rows = ragged([np.array([[0, 0, 9, 9, 0.5, 3]], np.float32)], listed=True)
    with pytest.raises(PluginError, match="the outputs say class 3, the model has 3 from 0 on; the fact 'First class'"):
        found({"found": rows}, spec_of(outputs=(ROWS,)), [(64, 64)])


def test_other_tasks_are_left_alone() -> None:
    assert porter_postprocess({}, spec_of(task="classification"), []) is None
