"""ONNX files as people have them: quantised, in half precision, with sizes left out; and what is no ONNX file."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from porter import BadInput, ExitCode, Run, State, own_precision, reference_pipeline, testing
from porter_onnx import plugin

WriteModel = Callable[..., Path]
WritePhotos = Callable[[Sequence[int]], tuple[Path, Path]]
Change = Callable[[onnx.ModelProto], None]

FLOAT = "model: nets/tiny.onnx\npreprocess: {resize: 18, mean: 0.5, std: 0.5}\n"
TEN = (0, 1, 2, 2, 1, 0, 0, 1, 2, 1)


def start(folder: Path, photos: tuple[Path, Path], text: str = FLOAT, **options: Any) -> Run:
    config = folder / "my.yaml"
    config.write_text(text)
    settings: dict[str, Any] = {"batch_sizes": (1,), "bench_seconds": 0.0, "threads": 1, **options}
    files = {"config": config, "data": photos[0], "labels": photos[1]}
    return testing.start_run(folder / "out", plugin, fresh=True, **files, **settings)


def changed(path: Path, change: Change) -> Path:
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


# --- quantised, in half precision ------------------------------------------------------------------------------------


def quantised(path: Path, form: str) -> None:
    """As anyone quantises a file: with ONNX Runtime's tools, `form` of them."""
    quantization = pytest.importorskip("onnxruntime.quantization")

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            generator = np.random.default_rng(0)
            self.left = [generator.uniform(-1, 1, (1, 3, 16, 16)).astype(np.float32) for _ in range(8)]

        def get_next(self) -> dict[str, np.ndarray] | None:
            return {"image": self.left.pop()} if self.left else None

    whole = path.with_name("float.onnx")
    path.rename(whole)
    if form == "dynamic":
        quantization.quantize_dynamic(whole, path)
    else:
        quantization.quantize_static(whole, path, Images(), quant_format=quantization.QuantFormat[form])


@pytest.mark.parametrize("form", ["QDQ", "QOperator", "dynamic"])
def test_a_file_that_anyone_quantised_is_an_int8_one(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, form: str
) -> None:
    path = write_model()
    quantised(path, form)
    run = start(tmp_path, write_photos(TEN))
    assert run.everything() is ExitCode.OK
    assert [one.id for one in run.record.artefacts] == ["onnxruntime-int8"]
    assert [one.metric("top1").hits for one in run.record.evaluations] == [10, 10]
    assert [one.artefact for one in run.record.performance] == ["onnxruntime-int8"]
    [parity] = run.record.parity
    assert parity.passed and not parity.binding and "estimated for int8" in str(parity.bounds_from)
    assert run.record.quantization is None
    assert (tmp_path / "out/models/onnx_tiny.onnx").read_bytes() == path.read_bytes()


def halved(path: Path, *, keep: bool) -> None:
    float16 = pytest.importorskip("onnxruntime.transformers.float16")
    path.write_bytes(float16.convert_float_to_float16(onnx.load(path), keep_io_types=keep).SerializeToString())


def test_a_file_in_half_precision_is_fed_and_called_so(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    halved(write_model(), keep=False)
    run = start(tmp_path, write_photos(TEN))
    assert run.everything() is ExitCode.OK
    assert run.job.spec.inputs[0].dtype == "float16"
    assert [(one.name, one.metric("top1").hits) for one in run.record.evaluations] == [
        ("reference", 10),
        ("onnxruntime-fp16", 10),
    ]
    assert "fp16" in str(run.record.evaluations[0].title)


def test_another_precision_than_the_files_own_is_refused(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    halved(write_model(), keep=False)
    with pytest.raises(BadInput, match="--precision int8: the model is fp16 and delivered as it is"):
        start(tmp_path, write_photos(TEN), precisions=("int8",)).everything()


def test_nodes_out_of_order_are_laid_at_the_users_file(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    def reverse(model: onnx.ModelProto) -> None:
        nodes = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend(nodes[::-1])

    path = changed(write_model(), reverse)
    with pytest.raises(BadInput) as caught:
        start(tmp_path, write_photos(TEN)).everything()
    assert str(caught.value).startswith(f"{path}: rejected by onnx.checker: Nodes in a graph must be topologically")
    assert ".part" not in str(caught.value) and "topological_sort" in str(caught.value)


def test_the_precision_is_that_of_the_weights_where_nothing_is_quantised(write_model: WriteModel) -> None:
    assert own_precision(onnx.load(write_model())) == "fp32"
    assert own_precision(onnx.load(write_model(dtype=TensorProto.FLOAT16))) == "fp32"  # only what it is fed is half


# --- sizes and outputs -----------------------------------------------------------------------------------------------


def further_axes(model: onnx.ModelProto) -> None:
    node = helper.make_node("Unsqueeze", ["class", "axes"], ["class4"])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([2, 3]), "axes"))
    model.graph.node.append(node)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("class4", TensorProto.FLOAT, ["N", 3, 1, 1]))


def batch_of(size: int) -> Change:
    def change(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = size

    return change


def nothing_of_the_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].type.tensor_type.ClearField("shape")


def nameless_sizes(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].Clear()


def sequence_beside(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("SequenceConstruct", ["class"], ["all"]))
    value = onnx.ValueInfoProto(name="all")
    value.type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None)))
    model.graph.output.insert(0, value)


def label_beside(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("ArgMax", ["class"], ["label"], axis=1, keepdims=0))
    model.graph.output.insert(0, helper.make_tensor_value_info("label", TensorProto.INT64, ["N"]))


@pytest.mark.parametrize(
    ("change", "text", "exporter"),
    [
        (further_axes, "", "the file as it was given"),
        (batch_of(0), "", "the file as it was given, 2 sizes of 0 or less written as free"),
        (batch_of(-1), "", "the file as it was given, 2 sizes of 0 or less written as free"),
        (nothing_of_the_output, "", "the file as it was given, 1 shapes of outputs inferred"),
        (nameless_sizes, "", "the file as it was given"),
        (sequence_beside, "output: class\n", "the file as it was given"),
        (label_beside, "output: class\n", "the file as it was given"),
    ],
)
def test_a_file_with_odd_declarations_is_scored_whole(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos, change: Change, text: str, exporter: str
) -> None:
    changed(write_model(), change)
    run = start(tmp_path, write_photos(TEN), FLOAT + text)
    assert run.everything() is ExitCode.OK
    assert [one.metric("top1").hits for one in run.record.evaluations] == [10, 10]
    assert run.job.spec.fixed_batch is None
    assert run.record.export is not None and run.record.export.exporter == exporter


# --- what is no ONNX file --------------------------------------------------------------------------------------------


def tar(data: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("model.onnx")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def zipped(data: bytes, name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda _: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "is a Git LFS pointer"),
        (lambda _: b"<!DOCTYPE html><title>404</title>", "is a web page, not the file"),
        (lambda _: b'{"message": "Not Found"}', "is JSON text"),
        (lambda _: b"see the README\n", "a text file (begins 'see the README')"),
        (gzip.compress, "is a gzip file. Decompress it first"),
        (tar, "is a tar archive. Extract the .onnx file"),
        (lambda data: zipped(data, "model.onnx"), "is a zip archive. Extract the .onnx file"),
        (lambda data: zipped(data, "archive/data.pkl"), "is a PyTorch file, not an ONNX file"),
        (lambda data: zipped(data, "model.onnx")[:-30], "is a zip archive that is damaged or truncated"),
        (lambda data: data[: len(data) // 2], "is a damaged or truncated ONNX file"),
        (lambda _: b"\x1c\0\0\0TFL3" + bytes(64), "is a TensorFlow Lite file"),
        (lambda _: b"\x89HDF\r\n\x1a\n" + bytes(64), "is an HDF5 file (Keras?)"),
        (lambda _: b'\x10\0\0\0\0\0\0\0{"a":{}}' + bytes(64), "is a safetensors file"),
        (lambda _: b"\xff" * 64, "is not an ONNX file"),
    ],
)
def test_what_is_no_onnx_file_is_called_what_it_is(
    tmp_path: Path, write_model: WriteModel, make: Callable[[bytes], bytes], what: str
) -> None:
    path = write_model()
    path.write_bytes(make(path.read_bytes()))
    with pytest.raises(BadInput) as caught:
        start(tmp_path, (tmp_path, tmp_path)).job.spec  # noqa: B018
    assert f"{path}: {what}" in str(caught.value) and "\n" not in str(caught.value)


# --- squashed images -------------------------------------------------------------------------------------------------


def test_images_that_are_squashed_can_be_declared(
    tmp_path: Path, write_model: WriteModel, write_photos: WritePhotos
) -> None:
    """Both sides to 16, as Pillow does it; the labels would tell if the aspect were kept."""
    write_model()
    photos = write_photos(TEN)
    run = start(tmp_path, photos, FLOAT.replace("resize: 18", "resize: [16, 16]"))
    assert run.everything() is ExitCode.OK
    assert all(one.state is State.PASS for one in run.record.verdicts)
    assert (run.job.spec.preprocess.resize, run.job.spec.preprocess.squash) == (16, (16, 16))
    pixels = np.random.default_rng(1).integers(0, 256, (40, 25, 3), np.uint8)
    squashed = np.asarray(Image.fromarray(pixels).resize((16, 16), Image.Resampling.BILINEAR), np.float32)
    wanted = (squashed / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    assert np.array_equal(reference_pipeline(pixels, run.job.spec.preprocess), wanted.transpose(2, 0, 1))
    assert "resize to 16×16, bilinear, antialiased, the aspect not kept;" in (tmp_path / "out/README.md").read_text()
