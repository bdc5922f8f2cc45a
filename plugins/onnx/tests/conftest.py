"""Tiny ONNX files that really classify (the class is the strongest colour), and photographs for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 16
COLOURS = ((250, 40, 30), (40, 240, 60), (20, 60, 250))

WriteModel = Callable[..., Path]
WritePhotos = Callable[[Sequence[int]], tuple[Path, Path]]


def strongest_colour(
    *,
    input_name: str = "image",
    output_name: str = "class",
    layout: str = "NCHW",
    dtype: int = TensorProto.FLOAT,
    batch: int | str = "N",
    side: int | str = SIDE,
    columns: int = 3,
    first_column: int = 0,
    features: bool = False,
    opset: int = 13,
) -> onnx.ModelProto:
    """A graph whose columns from `first_column` on are the means of red, green and blue, and 1000 before it.

    With `features` the three means come out as well, before the scores.
    """
    weights = np.zeros((3, columns), np.float32)
    weights[range(3), range(first_column, first_column + 3)] = 1
    bias = np.full(columns, -1000, np.float32)
    bias[:first_column] = 1000
    bias[first_column : first_column + 3] = 0
    shape = [batch, 3, side, side] if layout == "NCHW" else [batch, side, side, 3]
    nodes, last = [], input_name
    if dtype != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [last], ["float"], to=TensorProto.FLOAT))
        last = "float"
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    nodes.append(helper.make_node("ReduceMean", [last], ["features"], axes=axes, keepdims=0))
    nodes.append(helper.make_node("Gemm", ["features", "weights", "bias"], [output_name]))
    scores = helper.make_tensor_value_info(output_name, TensorProto.FLOAT, [batch, columns])
    means = helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch, 3])
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(input_name, dtype, shape)],
        [means, scores] if features else [scores],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7, producer_name="tiny", producer_version="1"
    )


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes `nets/tiny.onnx`; the arguments are those of `strongest_colour`."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "nets/tiny.onnx"
        path.parent.mkdir(exist_ok=True)
        onnx.save(strongest_colour(**changes), path)
        return path

    return write


@pytest.fixture
def write_photos(tmp_path: Path) -> WritePhotos:
    """Writes one noisy JPEG a label, in its colour, and the label file; returns folder and file."""

    def write(labels: Sequence[int]) -> tuple[Path, Path]:
        folder, lines = tmp_path / "val", []
        folder.mkdir()
        generator = np.random.default_rng(3)
        for number, label in enumerate(labels):
            noise = generator.integers(-20, 21, size=(20, 24, 3))
            pixels = np.clip(np.array(COLOURS[label % 3]) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"photo {number:03}.jpg")
            lines.append(f"photo {number:03}.jpg {label}\n")
        path = tmp_path / "labels.txt"
        path.write_text("".join(lines), encoding="utf-8")
        return folder, path

    return write
