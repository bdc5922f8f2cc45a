"""A yaml is read as it was meant, or refused in one line with the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from porter import BadInput
from porter_onnx.config import OnnxConfig, read_config

FULL = """
model: nets/tiny.onnx
sha256: 00000000000000000000000000000000000000000000000000000000000012e4
name: 007
title: Tiny
licence: 3.0
task: classification
input: {name: image, layout: NCHW, dtype: float32, size: [224, 192]}
output: class
preprocess:
  {resize: 256, crop: "(224, 192)", interpolation: bicubic, channels: BGR, divisor: 2.55e2, mean: 0.5,
   std: [1e-1, 0.2, 3e-1]}
labels: {classes: 1e3, background_class: yes}
reference:
  {source: a paper, dataset: ImageNet, images: 50000, top1: 76.8, top5: "93.4", image_pattern: 'val_\\d+\\.JPEG'}
"""


def read(folder: Path, text: str | bytes) -> OnnxConfig:
    path = folder / "my.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_config(path)


def error_of(folder: Path, text: str | bytes) -> str:
    with pytest.raises(BadInput) as caught:
        read(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder / "my.yaml"))
    return message


def test_every_key_is_read(tmp_path: Path) -> None:
    config = read(tmp_path, FULL)
    assert config.model == tmp_path / "nets/tiny.onnx"
    assert config.sha256 is not None and config.sha256.endswith("12e4")
    assert config.about == {"name": "007", "title": "Tiny", "licence": "3.0"}
    assert (config.input.layout, config.input.size, config.output) == ("NCHW", (224, 192), "class")
    assert config.preprocess.crop == (224, 192)
    assert (config.preprocess.divisor, config.preprocess.mean) == (255.0, (0.5,))
    assert config.preprocess.std == (0.1, 0.2, 0.3)
    assert (config.labels.classes, config.labels.background_class) == (1000, True)
    assert config.reference is not None
    assert [(metric.name, metric.value) for metric in config.reference.metrics] == [("top1", 76.8), ("top5", 93.4)]
    assert config.reference.image_pattern == r"val_\d+\.JPEG"


def test_the_readme_shows_a_yaml_that_is_read(tmp_path: Path) -> None:
    readme = Path(__file__).parents[1] / "README.md"
    config = read(tmp_path, readme.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0])
    assert config.preprocess.resize == (256,)


def test_the_page_shows_yamls_that_are_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs/how-to/deliver-an-onnx-file.md").read_text(encoding="utf-8")
    yamls = [block.split("\n", 1)[1].split("```")[0] for block in page.split("```yaml ")[1:]]
    found = [read(tmp_path, text).preprocess for text in yamls]
    assert [one.fit for one in found if one is not None] == ["cover", "letterbox", "long_side", "none", "box"]


@pytest.mark.parametrize("kind", ["absolute", "above", "above by a folder", "of Windows", "a link"])
@pytest.mark.parametrize("key", ["model", "labels.names"])
def test_a_path_that_leaves_the_folder_is_refused_unread(tmp_path: Path, key: str, kind: str) -> None:
    (tmp_path / "key").write_text("secret\n")
    folder = tmp_path / "received"
    (folder / "nets").mkdir(parents=True)
    (folder / "link").symlink_to("../key")
    path = {
        "absolute": str(tmp_path / "key"),
        "above": "../key",
        "above by a folder": "nets/../../key",
        "of Windows": r"..\key",
        "a link": "link",
    }[kind]
    keys = f"model: {path}\n" if key == "model" else f"labels: {{names: '{path}'}}\n"
    with pytest.raises(BadInput) as caught:
        read(folder, f"preprocess: {{resize: 8}}\n{keys}")
    assert f"line 2: {key}: " in str(caught.value) and "leads out of the folder of the yaml" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_class_names_stay_text(tmp_path: Path) -> None:
    text = "preprocess: {resize: 8}\nlabels: {names: [no, 010, 1e3, 2024-01-01, 'null', tench]}"
    assert read(tmp_path, text).names == ("no", "010", "1e3", "2024-01-01", "null", "tench")


def test_class_names_from_a_file_beside_the_yaml(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("# three\nno\ngreat white shark\nÖbild 图\n", encoding="utf-8")
    text = "preprocess: {resize: 8}\nlabels: {names: classes.txt}"
    assert read(tmp_path, text).names == ("no", "great white shark", "Öbild 图")


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("preproces", {}, "preproces: unknown key. Did you mean 'preprocess'?"),
        ("x", 1, "x: unknown key; known: model, sha256"),
        ("input.shape", [1], "input.shape: unknown key"),
        ("preprocess.resise", 1, "preprocess.resise: unknown key. Did you mean 'resize'?"),
        ("labels.class", 1, "labels.class: unknown key. Did you mean 'classes'?"),
        ("reference.top6", 1, "reference.top6: unknown key. Did you mean 'top"),
        ("model", None, "model: has no value"),
        ("model", ["a.onnx"], "model: text is needed, found a list"),
        ("sha256", "abc", "sha256: 64 hex digits are needed, found 3 characters"),
        ("input", "image", "input: a mapping is needed, found 'image'"),
        ("input.layout", "nchw", "input.layout: 'nchw' is not supported, expected NCHW or NHWC"),
        ("input.dtype", "float64", "input.dtype: 'float64' is not supported"),
        ("input.size", [224, 224, 3], "input.size: expected one or two numbers (height, width), found 3"),
        ("input.size", [224, 0], "input.size[1]: '0' is not within 1..8192"),
        ("input.size", "big", "input.size: a whole number is needed, found 'big'"),
        ("input.size", [], "input.size: 0 values"),
        ("preprocess", [1], "preprocess: a mapping is needed, found a list"),
        ("preprocess.resize", ..., "preprocess.resize: missing, and not in the ONNX file"),
        ("preprocess.resize", 256.5, "preprocess.resize: a whole number is needed, found '256.5'"),
        ("preprocess.resize", "1_0x", "preprocess.resize: a whole number is needed"),
        ("preprocess.resize", True, "preprocess.resize: a whole number is needed, found 'true'"),
        ("preprocess.resize", {"a": 1}, "preprocess.resize: a list is needed, found a mapping"),
        ("preprocess.resize", -3, "preprocess.resize: '-3' is not within 1..8192"),
        ("preprocess.divisor", 0, "preprocess.divisor: '0' is not within"),
        ("preprocess.divisor", float("nan"), "preprocess.divisor: a number is needed, found '.nan'"),
        ("preprocess.interpolation", "bilinaer", "Did you mean 'bilinear'?"),
        ("preprocess.channels", "CMYK", "preprocess.channels: 'CMYK' is not supported, expected BGR or GRAY or RGB"),
        ("preprocess.fit", "contain", "preprocess.fit: 'contain' is not supported, expected box or cover"),
        ("preprocess.pad", [0, 0, 256], "preprocess.pad[2]: '256' is not within 0..255"),
        ("preprocess.pad", 114, "preprocess.pad: says nothing with fit cover, only with letterbox or long_side"),
        ("preprocess.pad_at", "end", "preprocess.pad_at: says nothing with fit cover, only with letterbox. Leave"),
        ("preprocess.enlarge", False, "preprocess.enlarge: says nothing with fit cover"),
        ("preprocess.multiple", 32, "preprocess.multiple: says nothing with fit cover, only with long_side or none"),
        ("preprocess.box_scale", 1.25, "preprocess.box_scale: says nothing with fit cover, only with box"),
        ("preprocess.fit", "letterbox", "preprocess.resize: says nothing with fit letterbox"),
        ("preprocess.fit", "none", "preprocess.resize: says nothing with fit none"),
        ("preprocess.fit", "long_side", "preprocess.crop: says nothing with fit long_side"),
        ("preprocess", {"fit": "long_side", "resize": [8, 8]}, "preprocess.resize: expected one number, of the long"),
        ("preprocess", {"fit": "none", "pad": 3}, "preprocess.pad: says nothing without multiple"),
        ("preprocess", {"resize": [8, 8], "long_side": "round"}, "preprocess.long_side: says nothing where resize"),
        (
            "outputs",
            {"boxes": {"index_colum": 0}},
            "outputs.boxes.index_colum: unknown key. Did you mean 'index_column",
        ),
        ("outputs", {"a": {"counts": "n"}, "b": {"index_column": -1}}, "outputs.b.index_column: '-1' is not within"),
        ("facts", {"NMS IoU": [1]}, "facts.NMS IoU: text is needed, found a list"),
        ("outputs", {"boxes": {"index_column": 0}}, "outputs: task classification scores one row an image"),
        ("preprocess.mean", [0.1, 0.2], "preprocess.mean: expected one or three numbers, found 2"),
        ("preprocess.mean", [0.1, "a", 0.2], "preprocess.mean[1]: a number is needed, found 'a'"),
        ("preprocess.std", [0.1, 0, 0.2], "preprocess.std[1]: '0' is not within"),
        ("labels.classes", 0, "labels.classes: '0' is not within"),
        ("labels.names", ["a", ["b"]], "labels.names[1]: text is needed, found a list"),
        ("labels.names", {"a": 1}, "labels.names: text or a list is needed, found a mapping"),
        ("labels.background_class", "maybe", "labels.background_class: true or false is needed, found 'maybe'"),
        ("reference", {}, "reference.source: missing, and not in the ONNX file"),
        ("reference", {"source": "s", "dataset": "d", "images": 9}, "reference: has no figure. Set top1"),
        ("reference.source", ..., "reference.source: missing, and not in the ONNX file"),
        ("reference.images", ..., "reference.images: missing"),
        ("reference.top1", 0.768, "reference.top1: 0.768 looks like a fraction. Use percent"),
        ("reference.top1", 101, "reference.top1: '101' is not within 0..100"),
        ("reference.image_pattern", "val_(", "reference.image_pattern: not a regular expression"),
        ("task", "segmentation", "reference: published figures are supported for task classification only"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, key: str, value: Any, problem: str) -> None:
    document = yaml.safe_load(FULL)
    document["name"], document["sha256"] = "seven", "0" * 64
    section, *keys = document, *key.split(".")
    for name in keys[:-1]:
        section = section[name]
    if value is ...:
        del section[keys[-1]]
    else:
        section[keys[-1]] = value
    assert problem in error_of(tmp_path, yaml.safe_dump(document))


def test_a_file_of_class_names_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.txt: no such file; the list of class names"):
        read(tmp_path, "preprocess: {resize: 8}\nlabels: {names: gone.txt}")


def test_published_figures_belong_to_classification(tmp_path: Path) -> None:
    text = "task: depth\npreprocess: {resize: 8}\nreference: {rmse: 0.3}"
    assert "line 3: reference: published figures are supported for task classification only" in error_of(tmp_path, text)


def test_a_background_class_belongs_to_classification(tmp_path: Path) -> None:
    text = "task: depth\npreprocess: {resize: 8}\nlabels:\n  background_class: yes\n"
    says = "line 4: labels.background_class: is for task classification only, not 'depth'"
    assert says in error_of(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"# nothing\n",
        b"- a\n",
        b"a: [1\n",
        b"\xff\xfea",
        b"model: !!python/object/apply:os.system [ls]\n",
        b"a: 1\na: 2",
    ],
)
def test_what_is_no_plain_yaml_mapping_is_refused(tmp_path: Path, text: bytes) -> None:
    error_of(tmp_path, text)
