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
    ("text", "shape", "wanted"),
    [
        (
            "fit: letterbox, pad: 114, pad_at: end, enlarge: false, interpolation: opencv_linear",
            ("N", 3, 64, 96),
            {
                "fit": "letterbox",
                "crop": (64, 96),
                "pad": (114,),
                "pad_at": "end",
                "enlarge": False,
                "interpolation": "opencv_linear",
                "resize": 0,
            },
        ),
        (
            "fit: long_side, resize: 64, multiple: 32, pad: [1, 2, 3], long_side: round",
            ("N", 3, "h", "w"),
            {"fit": "long_side", "resize": 64, "multiple": 32, "pad": (1, 2, 3), "long_side": "round", "crop": (0, 0)},
        ),
        ("fit: none", ("N", "h", "w", 3), {"fit": "none", "crop": (0, 0)}),
        ("fit: box, box_scale: 1.1", ("N", 3, 256, 192), {"fit": "box", "crop": (256, 192), "box_scale": 1.1}),
        ("resize: 32", ("N", 1, 28, 28), {"channels": "GRAY", "mean": (0.5,), "std": (0.25,), "crop": (28, 28)}),
        ("resize: 32, channels: GRAY, crop: 28", ("N", "c", 28, 28), {"channels": "GRAY", "mean": (0.5,)}),
    ],
)
def test_every_declared_preprocessing_is_said(
    tmp_path: Path, text: str, shape: tuple[int | str, ...], wanted: dict[str, Any]
) -> None:
    layout = "input: {layout: NCHW}\n" if shape[1] == "c" else ""
    spec = spec_of(tmp_path, f"{layout}preprocess: {{{text}, mean: 0.5, std: 0.25}}", taking(*shape))
    assert {key: getattr(spec.image, key) for key in wanted} == wanted
    channels = len(spec.image.mean)
    sides = ("H", "W") if spec.image.is_free else spec.image.crop
    last = shape[1] == "h"
    assert spec.inputs[0].shape == ("N", *((*sides, channels) if last else (channels, *sides)))


DETECTION = LEAST + "task: detection\nlabels: {names: [a, b]}\n"
BOXES = TensorSpec(name="boxes", shape=("k", 7))
COUNT = TensorSpec(name="count", shape=("batch",), dtype="int64")


def test_rows_of_their_own_number(tmp_path: Path) -> None:
    text = DETECTION + "outputs: {boxes: {index_column: 0}}\nfacts: {Box order: yxyx}"
    spec = spec_of(tmp_path, text, giving(BOXES))
    assert spec.outputs[0].index_column == 0 and spec.outputs[0].is_listed
    assert (spec.num_classes, spec.facts["Box order"]) == (2, "yxyx")
    spec = spec_of(tmp_path, DETECTION + "outputs: {boxes: {counts: count}}", giving(BOXES, COUNT))
    assert [tensor.counts for tensor in spec.outputs] == ["count", ""]
    spec = spec_of(
        tmp_path,
        DETECTION + "outputs: {boxes: {listed: true}}",
        replace(giving(BOXES), inputs=taking(1, 3, 8, 8).inputs),
    )
    assert spec.outputs[0].shape == ("rows", 7) and spec.outputs[0].is_listed


def test_the_input_of_images_comes_first_and_the_others_are_the_tasks_own(tmp_path: Path) -> None:
    scale = TensorSpec(name="scale", shape=("batch", 2), dtype="int64")
    facts = replace(FACTS, inputs=(scale, *FACTS.inputs))
    spec = spec_of(tmp_path, LEAST + "task: detection\ninput: {name: image}", facts)
    assert [(tensor.name, tensor.dtype) for tensor in spec.inputs] == [("image", "float32"), ("scale", "int64")]
    assert "input.name: missing, and tiny.onnx has scale, image" in error_of(tmp_path, LEAST + "task: detection", facts)
    bare = spec_of(tmp_path, "task: detection\n", facts)
    assert bare.preprocess is None and bare.inputs[0].shape == ("N", 2)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64"])
def test_whole_numbers_take_grey_levels(tmp_path: Path, dtype: str) -> None:
    spec = spec_of(tmp_path, "preprocess: {fit: letterbox}", taking("N", 3, 8, 8, dtype=dtype))
    assert (spec.inputs[0].dtype, spec.image.divisor, spec.image.mean) == (dtype, 1.0, (0.0,) * 3)


@pytest.mark.parametrize(
    ("text", "facts", "problem"),
    [
        ("preprocess: {fit: none, mean: 0, std: 1}", FACTS, "preprocess.fit: none, but tiny.onnx takes N×3×224×192"),
        ("preprocess: {resize: 256, channels: GRAY, mean: 0, std: 1}", FACTS, "preprocess.channels: GRAY, but tiny"),
        ("preprocess: {resize: 32, mean: [0, 0, 0], std: 1}", taking("N", 1, 28, 28), "mean: 3 values for one channel"),
        (
            "input: {size: 8}\npreprocess: {fit: none, mean: 0, std: 1}",
            taking("N", 3, "h", "w"),
            "input.size: says nothing where images keep a shape of their own",
        ),
        (
            DETECTION + "outputs: {boxs: {index_column: 0}}",
            giving(BOXES),
            "outputs: 'boxs', but tiny.onnx has boxes. Did you mean 'boxes'?",
        ),
        (
            DETECTION + "outputs: {boxes: {index_column: 7}}",
            giving(BOXES),
            "outputs.boxes.index_column: 7, but tiny.onnx gives boxes as N×7",
        ),
        (
            DETECTION + "outputs: {boxes: {counts: cout}}",
            giving(BOXES, COUNT),
            "outputs.boxes.counts: 'cout', but tiny.onnx has count beside boxes. Did you mean 'count'?",
        ),
        (DETECTION + "outputs: {boxes: {listed: true}}", giving(BOXES), "boxes.listed: true, but batches may have"),
        (
            DETECTION + "outputs: {boxes: {listed: true, counts: count}}",
            giving(BOXES, COUNT),
            "outputs.boxes: one of index_column, counts and listed: true is needed",
        ),
    ],
)
def test_geometry_and_rows_that_cannot_be_are_refused(
    tmp_path: Path, text: str, facts: OnnxFacts, problem: str
) -> None:
    assert problem in error_of(tmp_path, text, facts)


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
        (LEAST, taking("N", 4, 28, 28), "its input is N×4×28×28; porter supports images of 3 channels, or of 1"),
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
