"""Files of other preprocessing than a photo's, and of boxes, through `porter run onnx`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

WritePhotos = Callable[[Sequence[int]], tuple[Path, Path]]
TEN = (0, 1, 2, 2, 1, 0, 0, 1, 2, 1)
THRESHOLD = 0.1
PLACES = np.array([[0, 8, 16, 24], [8, 8, 24, 24], [16, 8, 32, 24]], np.float32)
"""Where a red, a green and a blue patch lie in an input of 32×32 pixels, as x1, y1, x2, y2."""


def porter(folder: Path, text: str, data: Path, labels: Path) -> dict[str, Any]:
    """`porter run onnx`, and its record."""
    (folder / "my.yaml").write_text(text)
    arguments = ["run", "onnx", "--config", "my.yaml", "--data", data.name, "--labels", labels.name, "--out", "out"]
    done = subprocess.run(
        [Path(sys.executable).parent / "porter", *arguments, "--batch-sizes", "1,2", "--bench-seconds", "0"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads((folder / "out/run.json").read_text())
    assert {verdict["state"] for verdict in record["verdicts"]} <= {"pass", "unproven"}
    return record


def metrics(record: dict[str, Any], name: str) -> list[float]:
    return [one["value"] for entry in record["evaluations"] for one in entry["metrics"] if one["name"] == name]


def save(path: Path, inputs: Sequence[Any], outputs: Sequence[Any], nodes: Sequence[Any], **constants: Any) -> None:
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(list(nodes), "tiny", list(inputs), list(outputs), weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7), path)


def colours(path: Path, shape: Sequence[int | str], *, last: bool = False) -> None:
    """A graph whose scores are the means of the three channels."""
    axes = [1, 2] if last else [2, 3]
    save(
        path,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("class", TensorProto.FLOAT, [shape[0], 3])],
        [helper.make_node("ReduceMean", ["image"], ["class"], axes=axes, keepdims=0)],
    )


@pytest.mark.parametrize(
    ("shape", "keys", "says"),
    [
        (["N", 3, 16, 16], "fit: letterbox, pad: 114, interpolation: opencv_linear", "16×16"),
        (["N", 16, 16, 3], "fit: letterbox, pad: [1, 2, 3], pad_at: end, enlarge: false", "16×16"),
        (["N", 3, "h", "w"], "fit: long_side, resize: 18, multiple: 8, pad: 3", "18"),
        (["N", "h", "w", 3], "fit: none", ""),
    ],
)
def test_colours_are_told_apart_by_every_geometry(
    tmp_path: Path, write_photos: WritePhotos, shape: list[int | str], keys: str, says: str
) -> None:
    colours(tmp_path / "tiny.onnx", shape, last=shape[3] == 3)
    record = porter(tmp_path, f"model: tiny.onnx\npreprocess: {{{keys}, mean: 0, std: 1}}\n", *write_photos(TEN))
    assert metrics(record, "top1") == [100.0, 100.0]
    assert says in (tmp_path / "out/README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", [["N", 1, 16, 16], ["N", 16, 16, 1]])
def test_a_grey_input(tmp_path: Path, shape: list[int | str]) -> None:
    """The mean grey level g of an image scores its class: dark, middle, bright."""
    last = shape[3] == 1
    save(
        tmp_path / "tiny.onnx",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("class", TensorProto.FLOAT, ["N", 3])],
        [
            helper.make_node("ReduceMean", ["image"], ["level"], axes=[1, 2] if last else [2, 3], keepdims=0),
            helper.make_node("Sub", ["level", "wanted"], ["far"]),
            helper.make_node("Mul", ["far", "far"], ["square"]),
            helper.make_node("Neg", ["square"], ["class"]),
        ],
        wanted=np.array([[0.1, 0.5, 0.9]], np.float32),
    )
    (tmp_path / "val").mkdir()
    generator = np.random.default_rng(5)
    for number, label in enumerate(TEN):
        pixels = generator.integers(-20, 21, (18, 22, 3)) + (25, 128, 230)[label]
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(tmp_path / f"val/{number}.png")
    (tmp_path / "labels.txt").write_text("".join(f"{n}.png {label}\n" for n, label in enumerate(TEN)))
    text = "model: tiny.onnx\npreprocess: {resize: 16, mean: 0, std: 1}\n"
    record = porter(tmp_path, text, tmp_path / "val", tmp_path / "labels.txt")
    assert metrics(record, "top1") == [100.0, 100.0]
    assert record["model"]["preprocess"]["channels"] == "GRAY"


def patches(folder: Path, held: Sequence[Sequence[int]]) -> tuple[Path, Path]:
    """One image of 64×32 pixels for each entry, with patches of its colours, and their boxes as COCO has them."""
    (folder / "val").mkdir()
    images, boxes = [], []
    for number, classes in enumerate(held, start=1):
        pixels = np.random.default_rng(number).integers(0, 12, (32, 64, 3), np.uint8)
        for channel in classes:
            pixels[:, channel * 16 : channel * 16 + 32, channel] = 250
            box = {"bbox": [channel * 16, 0, 32, 32], "area": 1024, "iscrowd": 0}
            boxes.append({"id": len(boxes) + 1, "image_id": number, "category_id": channel + 1, **box})
        Image.fromarray(pixels).save(folder / f"val/{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 64, "height": 32})
    categories = [{"id": n, "name": name} for n, name in enumerate(("red", "green", "blue"), start=1)]
    labels = folder / "instances.json"
    labels.write_text(json.dumps({"images": images, "annotations": boxes, "categories": categories}))
    return folder / "val", labels


def test_a_detector_with_as_many_rows_as_all_images_of_a_batch_have(tmp_path: Path) -> None:
    """A row is image, x1, y1, x2, y2, score, class: one for every colour that an image has enough of."""
    pytest.importorskip("porter_detection")
    node = helper.make_node
    save(
        tmp_path / "tiny.onnx",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["K", 7])],
        [
            node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            node("Greater", ["means", "least"], ["has"]),
            node("NonZero", ["has"], ["places"]),
            node("Transpose", ["places"], ["pairs"], perm=[1, 0]),
            node("GatherND", ["means", "pairs"], ["score"]),
            node("Unsqueeze", ["score", "one"], ["scores"]),
            node("Gather", ["pairs", "second"], ["class"], axis=1),
            node("Gather", ["pairs", "first"], ["owner"], axis=1),
            node("Squeeze", ["class", "one"], ["flat"]),
            node("Gather", ["corners", "flat"], ["boxes"]),
            node("Cast", ["class"], ["classes"], to=TensorProto.FLOAT),
            node("Cast", ["owner"], ["owners"], to=TensorProto.FLOAT),
            node("Concat", ["owners", "boxes", "scores", "classes"], ["found"], axis=1),
        ],
        least=np.float32(THRESHOLD),
        one=np.array([1]),
        first=np.array([0]),
        second=np.array([1]),
        corners=PLACES,
    )
    text = (
        "model: tiny.onnx\ntask: detection\npreprocess: {fit: letterbox, mean: 0, std: 1}\n"
        "outputs: {found: {index_column: 0}}\nlabels: {names: [red, green, blue]}\n"
    )
    record = porter(tmp_path, text, *patches(tmp_path, [[0], [2], [0, 2], [1], [0]]))
    assert [entry["scored"] for entry in record["evaluations"]] == [5, 5]
    assert metrics(record, "map") == pytest.approx([100.0, 100.0])
