"""The yaml and the file together: what one leaves open the other fills, and a contradiction names both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from porter import BadInput, ModelSpec, OnnxFacts, TensorSpec
from porter_onnx.config import read_config
from porter_onnx.describe import describe

LEAST = "preprocess: {resize: 256, mean: 0.5, std: 0.5}\n"
FACTS = OnnxFacts(
    opset=13,
    ir_version=7,
    producer="by hand",
    inputs=(TensorSpec(name="image", shape=("batch", 3, 224, 192)),),
    outputs=(TensorSpec(name="class", shape=("batch", 1000)),),
    nodes=3,
    operators={"Conv": 3},
    resizes=(),
    parameters=12,
    size_bytes=100,
)


def taking(*shape: int | str, dtype: str = "float32") -> OnnxFacts:
    return replace(FACTS, inputs=(TensorSpec(name="image", shape=shape, dtype=dtype),))


def giving(*outputs: TensorSpec) -> OnnxFacts:
    return replace(FACTS, outputs=outputs)


def scores(columns: int | str, name: str = "class", **fields: Any) -> TensorSpec:
    return TensorSpec(name=name, shape=("batch", columns), **fields)


def spec_of(folder: Path, text: str, facts: OnnxFacts = FACTS) -> ModelSpec:
    path = folder / "my.yaml"
    path.write_text(text)
    return describe(read_config(path), facts, folder / "tiny.onnx", "onnx")


def error_of(folder: Path, text: str, facts: OnnxFacts = FACTS) -> str:
    with pytest.raises(BadInput) as caught:
        spec_of(folder, text, facts)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_what_the_yaml_leaves_out_is_read_from_the_file(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, LEAST)
    assert spec.inputs == (TensorSpec(name="image", shape=("N", 3, 224, 192)),)
    assert spec.outputs == (TensorSpec(name="class", shape=("N", 1000)),)
    assert (spec.preprocess.crop, spec.preprocess.divisor, spec.preprocess.mean) == ((224, 192), 255.0, (0.5,) * 3)
    assert (spec.num_classes, spec.opset, spec.task) == (1000, 13, "classification")
    assert (spec.variant, spec.checkpoint) == ("tiny", str(tmp_path / "tiny.onnx"))
    assert spec.fixed_batch is None


@pytest.mark.parametrize(
    ("text", "facts", "shape"),
    [
        ("", taking("b", 224, 192, 3), ("N", 224, 192, 3)),
        ("", taking(4, 3, 224, 192), (4, 3, 224, 192)),
        ("input: {size: [224, 192]}", taking("?", 3, "?", "?"), ("N", 3, 224, 192)),
        ("input: {size: 128}", taking("?", 3, "h", 128), ("N", 3, 128, 128)),
        ("input: {layout: NHWC, size: 64}", taking("?", "?", "?", "?"), ("N", 64, 64, 3)),
        ("input: {layout: NHWC}", taking("N", 3, 8, 3), ("N", 3, 8, 3)),
    ],
)
def test_the_input_shape(tmp_path: Path, text: str, facts: OnnxFacts, shape: tuple[int | str, ...]) -> None:
    assert spec_of(tmp_path, LEAST + text, facts).inputs[0].shape == shape


def test_the_crop_gives_the_size_that_the_file_leaves_open(tmp_path: Path) -> None:
    text = "preprocess: {resize: 256, mean: 0, std: 1, crop: [200, 100]}"
    assert spec_of(tmp_path, text, taking("N", "h", "w", 3)).inputs[0].shape == ("N", 200, 100, 3)


def test_a_uint8_input_takes_grey_levels(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "preprocess: {resize: 256}", taking("N", 3, 224, 224, dtype="uint8"))
    assert (spec.preprocess.divisor, spec.preprocess.mean, spec.preprocess.std) == (1.0, (0.0,) * 3, (1.0,) * 3)


def test_the_scored_output_comes_first(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, LEAST + "output: class", giving(scores(7, "features"), scores(1000)))
    assert [tensor.name for tensor in spec.outputs] == ["class", "features"]


def test_a_background_class_is_not_counted(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, LEAST + "labels: {background_class: true}", giving(scores(1001)))
    assert (spec.num_classes, spec.outputs[0].shape) == (1000, ("N", 1001))
    open_columns = spec_of(tmp_path, LEAST + "labels: {background_class: true, classes: 6}", giving(scores("?")))
    assert (open_columns.num_classes, open_columns.outputs[0].shape) == (6, ("N", 7))
    assert spec_of(tmp_path, LEAST + "labels: {background_class: false}", giving(scores(1001))).num_classes == 1001


def test_another_task_scores_whatever_shape(tmp_path: Path) -> None:
    mask = TensorSpec(name="mask", shape=("batch", 19, 224, 192))
    assert spec_of(tmp_path, LEAST + "task: segmentation\nlabels: {classes: 19}", giving(mask)).num_classes == 19


def test_quantised_operators_are_shown(tmp_path: Path) -> None:
    facts = replace(FACTS, operators={"Conv": 1, "DequantizeLinear": 2, "QLinearConv": 5})
    assert spec_of(tmp_path, LEAST, facts).facts["Quantised operators"] == "2 × DequantizeLinear, 5 × QLinearConv"


@pytest.mark.parametrize(
    ("text", "facts", "problem"),
    [
        (
            LEAST + "input: {name: data}",
            FACTS,
            "my.yaml, line 2: input.name: 'data', but tiny.onnx names its input 'image'",
        ),
        (LEAST + "input: {dtype: uint8}", FACTS, "my.yaml, line 2: input.dtype: uint8, but tiny.onnx takes float32"),
        (LEAST + "input: {layout: NHWC}", FACTS, "input.layout: NHWC, but tiny.onnx takes N×3×224×192"),
        (LEAST + "input: {size: 224}", FACTS, "input.size: [224, 224], but tiny.onnx takes N×3×224×192"),
        (LEAST + "output: clas", FACTS, "output: 'clas', but tiny.onnx has class. Did you mean 'class'?"),
        (
            LEAST + "labels: {classes: 999}",
            FACTS,
            "labels.classes: 999, but tiny.onnx has output 'class' of 1000 columns",
        ),
        (
            LEAST + "labels: {classes: 1000}",
            giving(scores(1001)),
            "has output 'class' of 1001 columns; labels.background_class: true drops the first column",
        ),
        (
            LEAST + "labels: {classes: 1000, background_class: true}",
            FACTS,
            "labels.classes: 1000, but tiny.onnx has output 'class' of 1000 columns with the background class",
        ),
        (
            "preprocess: {resize: 256, crop: 200, mean: 0, std: 1}",
            FACTS,
            "preprocess.crop: [200, 200], but tiny.onnx takes N×3×224×192",
        ),
        (
            "preprocess: {resize: 256, divisor: 255}",
            taking("N", 3, 8, 8, dtype="uint8"),
            "preprocess.divisor: 255.0, but tiny.onnx takes uint8",
        ),
    ],
)
def test_a_contradiction_names_both(tmp_path: Path, text: str, facts: OnnxFacts, problem: str) -> None:
    assert problem in error_of(tmp_path, text, facts)


@pytest.mark.parametrize(
    ("text", "facts", "problem"),
    [
        ("preprocess: {resize: 256, std: 1}", FACTS, "preprocess.mean: missing, and not in the ONNX file"),
        ("preprocess: {resize: 256, mean: 0}", FACTS, "preprocess.std: missing"),
        (LEAST, taking("N", "c", "h", "w"), "input.layout: missing, and tiny.onnx has N×c×h×w. Set NCHW or NHWC"),
        (LEAST, taking("N", 3, "h", 8), "input.size: missing, and dynamic in tiny.onnx. Set [height, width]"),
        (
            LEAST,
            giving(scores(7, "a"), scores(7, "b")),
            "output: missing, and tiny.onnx has a, b. Name the one to score",
        ),
        (LEAST, giving(scores("?")), "labels.classes: missing, and output 'class' of tiny.onnx is dynamic"),
        (
            LEAST,
            giving(scores(1001)),
            "labels.background_class: missing, and output 'class' of tiny.onnx has 1001 columns",
        ),
    ],
)
def test_what_neither_says_is_asked_for_by_key(tmp_path: Path, text: str, facts: OnnxFacts, problem: str) -> None:
    assert problem in error_of(tmp_path, text, facts)


@pytest.mark.parametrize(
    ("text", "facts", "problem"),
    [
        (
            LEAST,
            replace(FACTS, inputs=FACTS.inputs * 2),
            "has 2 inputs (image, image); porter supports one image input",
        ),
        (LEAST, replace(FACTS, inputs=()), "has 0 inputs (none)"),
        (LEAST, taking("N", 3, 224), "input 'image' has shape N×3×224; a batch of images has four dimensions"),
        (LEAST, taking(), "input 'image' has shape not declared"),
        (LEAST, taking("N", 1, 28, 28), "its input is N×1×28×28; porter supports images of 3 channels"),
        (LEAST, taking("N", 3, 8, 8, dtype="float64"), "input 'image' is float64; porter supports float32 or float16"),
        (LEAST, giving(scores(10, dtype="int64")), "output 'class' is int64 N×10; task classification needs float"),
        (LEAST, giving(TensorSpec(name="class", shape=(1, 1000, 7, 7))), "output 'class' is float32 1×1000×7×7"),
        (LEAST, replace(FACTS, opset=0), "imports no operators of the default ONNX domain"),
        (LEAST + "labels: {names: [a, b]}", FACTS, "labels.names: 2 names for 1000 classes"),
        (
            LEAST + "labels: {names: [background, a, b], background_class: true}",
            giving(scores(3)),
            "labels.names: 3 names for 2 classes. Leave the background class out",
        ),
        (
            "preprocess: {resize: 200, mean: 0, std: 1}",
            FACTS,
            "preprocess.resize: 200 pixels cannot be cropped to 224×192",
        ),
        (
            "preprocess: {resize: 256, mean: [123.7, 116.3, 103.5], std: 58}",
            FACTS,
            "preprocess.mean: 123.7, 116.3, 103.5 is outside 0..1, the range with divisor 255",
        ),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, text: str, facts: OnnxFacts, problem: str) -> None:
    assert problem in error_of(tmp_path, text, facts)
