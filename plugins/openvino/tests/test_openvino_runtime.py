"""OpenVINO as a runtime: what it builds, the precision that really runs, and a whole run beside ONNX Runtime."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from figures import unfounded
from graphs import FLOAT, SIZE, graph, images, network, node
from sessions import opening
from tiny import start, write_photos

from porter import (
    BadInput,
    BuildRequest,
    ExitCode,
    Missing,
    ModelSpec,
    OnnxRuntimeSession,
    PreprocessSpec,
    Session,
    State,
    TensorSpec,
    file_digest,
    read_record,
)
from porter_openvino.plugin import OpenVino

openvino = pytest.importorskip("openvino")

SPEC = ModelSpec(
    name="network",
    task="classification",
    inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(TensorSpec(name="scores", shape=("N", 5)),),
    preprocess=PreprocessSpec(resize=SIZE, crop=(SIZE, SIZE)),
)
OFFERED = OpenVino().status().precisions
REDUCED = [
    pytest.param(name, marks=pytest.mark.skipif(name not in OFFERED, reason=f"this CPU has no {name}"))
    for name in ("bf16", "fp16")
]


class Built:
    """The network of `graphs`, or another, as an artefact in a run's folder."""

    def __init__(self, out: Path, *, model: onnx.ModelProto | None = None, spec: ModelSpec = SPEC, **how: Any) -> None:
        self.out, self.models = out, out / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        self.onnx = self.models / "network.onnx"
        onnx.save(model or network(), self.onnx)
        self.artefact = OpenVino().build(BuildRequest(onnx=self.onnx, spec=spec, folder=self.models, **how))

    def open(self, threads: int = 1, **options: Any) -> Session:
        path = self.out / self.artefact.path
        return OpenVino().open(opening(path, self.artefact, threads=threads, **options))

    def wanted(self, feed: np.ndarray) -> np.ndarray:
        """What ONNX Runtime gives in float32."""
        return OnnxRuntimeSession(opening(self.onnx)).run({"image": feed})["scores"]


@pytest.fixture
def built(tmp_path: Path) -> Built:
    return Built(tmp_path / "out")


@pytest.fixture
def feed() -> np.ndarray:
    return images(4)["image"]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """max|a - b| / max|b|."""
    return float(np.abs(a - b).max() / np.abs(b).max())


# --- what is built --------------------------------------------------------------------------------------------


def test_an_ir_is_two_files_and_both_are_in_the_artefact(built: Built) -> None:
    assert [file.path for file in built.artefact.files] == [
        "models/network-openvino-fp32.xml",
        "models/network-openvino-fp32.bin",
    ]
    for file in built.artefact.files:
        path = built.out / file.path
        assert (file.sha256, file.size_bytes) == (file_digest(path), path.stat().st_size)
    assert sorted(path.suffix for path in built.models.iterdir()) == [".bin", ".onnx", ".xml"], "nothing else is left"


def test_weights_are_kept_in_float32(built: Built) -> None:
    weights = sum(onnx.numpy_helper.to_array(tensor).size for tensor in onnx.load(built.onnx).graph.initializer)
    assert built.artefact.parts[0].size_bytes >= 4 * weights
    graph_file = (built.out / built.artefact.path).read_text()
    assert 'element_type="f32"' in graph_file and 'element_type="f16"' not in graph_file


def test_outputs_keep_their_names_and_order(tmp_path: Path) -> None:
    """One tensor under two names, and an order that is not that of the alphabet."""
    nodes = [node("Relu", ["x"], ["z"]), node("Neg", ["x"], ["b"]), node("Identity", ["z"], ["a"])]
    model = graph(nodes, {"x": (FLOAT, ["N", 2])}, ["z", "b", "a"])
    outputs = tuple(TensorSpec(name=name, shape=("N", 2)) for name in ("z", "b", "a"))
    spec = replace(SPEC, inputs=(TensorSpec(name="x", shape=("N", 2)),), outputs=outputs)
    x = np.array([[1, -2]], dtype=np.float32)
    got = Built(tmp_path, model=model, spec=spec).open().run({"x": x})
    assert {name: values.tolist() for name, values in got.items()} == {"z": [[1, 0]], "b": [[-1, 2]], "a": [[1, 0]]}


def test_an_output_of_another_name_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    spec = replace(SPEC, outputs=(TensorSpec(name="class", shape=("N", 5)),))
    with pytest.raises(BadInput, match="OpenVINO reads the outputs scores, the model has class"):
        Built(tmp_path, spec=spec)
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["network.onnx"]


def test_outputs_in_another_order_than_the_files_are_told_by_name(tmp_path: Path) -> None:
    """The scored output comes first in a spec, wherever it stands in the file."""
    nodes = [node("Relu", ["x"], ["z"]), node("Neg", ["x"], ["b"])]
    model = graph(nodes, {"x": (FLOAT, ["N", 2])}, ["z", "b"])
    outputs = tuple(TensorSpec(name=name, shape=("N", 2)) for name in ("b", "z"))
    spec = replace(SPEC, inputs=(TensorSpec(name="x", shape=("N", 2)),), outputs=outputs)
    got = Built(tmp_path, model=model, spec=spec).open().run({"x": np.array([[1, -2]], dtype=np.float32)})
    assert {name: values.tolist() for name, values in got.items()} == {"z": [[1, 0]], "b": [[-1, 2]]}


def test_half_precision_around_a_model_is_refused_with_its_name(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["z"]), node("Cast", ["z"], ["half"], to=onnx.TensorProto.FLOAT16)]
    model = graph(nodes, {"x": (FLOAT, ["N", 2])}, ["half"])
    model.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    outputs = (TensorSpec(name="half", shape=("N", 2), dtype="float16"),)
    spec = replace(SPEC, inputs=(TensorSpec(name="x", shape=("N", 2)),), outputs=outputs)
    with pytest.raises(BadInput, match="half is float16, around which OpenVINO computes in float16 and not in the fp"):
        Built(tmp_path, model=model, spec=spec)


def test_an_operator_that_it_lacks_is_named(tmp_path: Path) -> None:
    model = graph([node("NoSuchOp", ["x"], ["z"], domain="made.up")], {"x": (FLOAT, ["N", 2])}, ["z"])
    model.opset_import.append(onnx.helper.make_opsetid("made.up", 1))
    with pytest.raises(BadInput, match=r"OpenVINO cannot read it: .*NoSuchOp"):
        Built(tmp_path, model=model)


def test_what_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "models/network-openvino-fp32.xml").mkdir(parents=True)
    with pytest.raises(BadInput, match=r"network-openvino-fp32\.xml: cannot be written: Is a directory"):
        Built(tmp_path)


def test_a_fixed_batch_is_built_on_request(tmp_path: Path, feed: np.ndarray) -> None:
    built = Built(tmp_path, batch=4)
    assert (built.artefact.batch, built.artefact.id) == (4, "openvino-fp32-bs4")
    assert built.artefact.path == "models/network-openvino-fp32-bs4.xml"
    session = built.open()
    assert session.info.batch == 4 and session.run({"image": feed})["scores"].shape == (4, 5)
    with pytest.raises(BadInput, match="OpenVINO"):
        session.run({"image": feed[:1]})


def test_an_array_lies_in_memory_as_it_likes(built: Built, feed: np.ndarray) -> None:
    session = built.open()
    wanted = session.run({"image": feed})["scores"]
    read_only = feed.copy()
    read_only.flags.writeable = False
    for given in (np.asfortranarray(feed), np.repeat(feed, 2, axis=0)[::2], read_only):
        assert np.array_equal(session.run({"image": given})["scores"], wanted)


# --- the precision that really runs ---------------------------------------------------------------------------


def test_fp32_really_is_fp32(built: Built, feed: np.ndarray) -> None:
    session = built.open()
    assert (session.info.precision, set(session.info.layers)) == ("fp32", {"fp32"})
    assert distance(session.run({"image": feed})["scores"], built.wanted(feed)) < 1e-5


@pytest.mark.skipif("bf16" not in OFFERED, reason="this CPU has no bf16")
def test_left_to_itself_openvino_would_not_compute_in_fp32(built: Built, feed: np.ndarray) -> None:
    """The reason for always giving a precision; where this fails, OpenVINO has changed its default."""
    plain = openvino.Core().compile_model(str(built.out / built.artefact.path), "CPU")
    assert distance(plain([feed])[0], built.wanted(feed)) > 1e-4


@pytest.mark.parametrize("precision", REDUCED)
def test_a_reduced_precision_really_runs(tmp_path: Path, feed: np.ndarray, precision: str) -> None:
    built = Built(tmp_path, precision=precision)
    session = built.open()
    assert session.info.precision == precision and session.info.layers[precision] >= 6
    off = distance(session.run({"image": feed})["scores"], built.wanted(feed))
    unit_roundoff = {"bf16": 2**-8, "fp16": 2**-11}[precision]
    assert unit_roundoff / 10 < off < 10 * unit_roundoff


def test_a_precision_that_the_cpu_lacks_is_an_error(tmp_path: Path) -> None:
    """A limit on the instruction set takes fp16 away, and OpenVINO takes another precision without a word."""
    built = Built(tmp_path)
    script = (
        "import sys; from pathlib import Path\n"
        "from porter_openvino.compiling import compile_model, cpu_precisions, read_model\n"
        "assert 'fp16' not in cpu_precisions()\n"
        "compile_model(read_model(Path(sys.argv[1])), 'it', 'fp16', 1)\n"
    )
    variables = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    command = [sys.executable, "-c", script, str(built.out / built.artefact.path)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert "porter.errors.Missing: OpenVINO computes in " in done.stderr, done.stderr
    assert "where fp16 was asked for. Use --precision with what this CPU has: fp32" in done.stderr


# --- sessions -------------------------------------------------------------------------------------------------


def test_the_session_says_what_runs(built: Built) -> None:
    info = built.open().info
    assert (info.runtime, info.provider, info.threads, info.batch) == ("openvino", "CPU", 1, None)
    assert openvino.__version__.startswith(info.version)


def test_a_session_for_one_batch_size_is_shaped_for_it(built: Built, feed: np.ndarray) -> None:
    session = built.open(batch=4)
    assert session.info.batch == 4
    assert distance(session.run({"image": feed})["scores"], built.wanted(feed)) < 1e-5
    with pytest.raises(BadInput, match=r"OpenVINO: .*3.3.16.16"):
        session.run({"image": feed[:3]})


def test_more_threads_than_there_are_is_an_error(built: Built) -> None:
    with pytest.raises(Missing, match=r"OpenVINO uses only \d+ of 4096 threads. Use --threads \d+"):
        built.open(threads=4096)


def test_fewer_streams_than_asked_for_are_announced(built: Built, feed: np.ndarray) -> None:
    """OpenVINO creates at most as many streams as threads; the session says so, and takes all calls the same."""
    info = built.open(threads=1, streams=3).info
    assert (info.threads, info.streams) == (1, 1)
    assert str(info.announced["streams"]) == "OpenVINO creates at most as many streams as threads"
    assert built.open(threads=1, streams=1).info.announced == {}


def test_a_device_that_is_not_the_cpu_is_an_error(built: Built) -> None:
    with pytest.raises(Missing, match="runtime openvino runs on CPU only, not on 'GPU'"):
        built.open(provider="GPU")
    with pytest.raises(Missing, match="runs on CPU only"):
        OpenVino().require("fp32", "NPU")
    OpenVino().require("fp32", "cpu")


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 1), (2, 2), (4, 2), (4, 4)])
def test_a_shape_that_the_graph_cannot_take_is_an_error_at_every_thread_count(
    built: Built, feed: np.ndarray, threads: int, streams: int
) -> None:
    if threads > len(os.sched_getaffinity(0)):
        pytest.skip("not as many processors here")
    session = built.open(threads=threads, streams=streams)
    with pytest.raises(BadInput, match="OpenVINO"):
        session.run({"image": feed[:, :2]})


def test_outputs_of_one_run_survive_the_next(built: Built, feed: np.ndarray) -> None:
    session = built.open()
    first = session.run({"image": feed})["scores"]
    kept = first.copy()
    session.run({"image": feed * 3})
    assert np.array_equal(first, kept)


def test_a_tensor_of_another_type_is_not_cast(built: Built, feed: np.ndarray) -> None:
    with pytest.raises(BadInput, match="OpenVINO: model input 'image' is float32, got float64"):
        built.open().run({"image": feed.astype(np.float64)})


@pytest.mark.parametrize("damage", [b"", b"garbage", b"<?xml version='1.0'?><net/>"])
def test_a_damaged_graph_is_one_line(built: Built, damage: bytes) -> None:
    (built.out / built.artefact.path).write_bytes(damage)
    with pytest.raises(BadInput, match=r"network-openvino-fp32\.xml: OpenVINO cannot read it") as caught:
        built.open()
    assert "\n" not in str(caught.value)


def test_missing_or_cut_weights_are_one_line(built: Built) -> None:
    weights = built.out / built.artefact.parts[0].path
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(BadInput, match="Incorrect weights in bin file"):
        built.open()
    weights.unlink()
    with pytest.raises(BadInput, match="bin file cannot be found"):
        built.open()


# --- the whole run --------------------------------------------------------------------------------------------


@pytest.fixture
def photos(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    yield tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2] * 4)


def test_both_runtimes_stand_side_by_side(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("onnxruntime", "openvino"))
    assert run.everything() is ExitCode.OK
    record = read_record(tmp_path / "out")
    assert [verdict.state for verdict in record.verdicts] == [State.PASS] * 5
    assert [one.name for one in record.evaluations] == ["reference", "onnxruntime-fp32", "openvino-fp32"]
    assert all(one.agreement is not None and one.agreement.hits == 12 for one in record.evaluations[1:])
    with (tmp_path / "out/predictions.csv").open(encoding="utf-8", newline="") as stream:
        evaluations = [row["evaluation"] for row in csv.DictReader(stream)]
    assert evaluations == ["reference"] * 12 + ["onnxruntime-fp32"] * 12 + ["openvino-fp32"] * 12
    listed = {file.path: file.sha256 for file in record.files}
    for name in ("models/tiny.onnx", "models/tiny-openvino-fp32.xml", "models/tiny-openvino-fp32.bin"):
        assert listed[name] == file_digest(tmp_path / "out" / name)
    speeds = [(one.artefact, one.batch, one.session.batch) for one in record.performance]
    assert speeds == [
        *[("onnxruntime-fp32", batch, None) for batch in (1, 4)],
        *[("openvino-fp32", batch, batch) for batch in (1, 4)],
    ]
    readme = (tmp_path / "out/README.md").read_text()
    answered = "Same top-1 class as the reference: 12 of 12 images with a prediction"
    assert f"- openvino fp32: batch 4, provider CPU, 1 threads; {answered}" in readme
    assert "- openvino-fp32: provider CPU, precision fp32; convolutions and matrix products" in readme
    assert {one.session.threads for one in record.performance} == {1}
    assert unfounded(readme, json.loads((tmp_path / "out/run.json").read_text())) == []


@pytest.mark.skipif("bf16" not in OFFERED, reason="this CPU has no bf16")
def test_bf16_is_held_to_what_bf16_rounds(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("openvino",), precisions=("bf16",))
    assert run.everything() is ExitCode.OK
    [parity] = run.record.parity
    assert (parity.binding, parity.tolerance.rtol) == (False, 2 * 2**-8)
    assert run.record.evaluations[1].session.precision == "bf16"
    readme = (tmp_path / "out/README.md").read_text()
    assert "rtol 0.0078125 (estimated for bf16: 2 · 2^-8 · √1)" in readme
    assert unfounded(readme, json.loads((tmp_path / "out/run.json").read_text())) == []


@pytest.mark.skipif("bf16" not in OFFERED, reason="this CPU has no bf16")
def test_a_tolerance_that_was_asked_for_binds_bf16_as_well(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("openvino",), precisions=("bf16",), rtol=1e-7, atol=0.0)
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert run.record.parity[0].binding and not run.record.parity[0].passed
    assert run.record.evaluations == ()


def test_a_precision_that_one_runtime_lacks_names_the_one_that_has_it(
    tmp_path: Path, photos: tuple[Path, Path]
) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("onnxruntime", "openvino"), precisions=("fp64",))
    with pytest.raises(
        BadInput,
        match=r"onnxruntime has no fp64 on this machine \(available: fp32, int8\); no runtime on this machine has it",
    ):
        run.everything()
    if "bf16" in OFFERED:
        run = start(tmp_path / "out", *photos, runtimes=("onnxruntime", "openvino"), precisions=("bf16",))
        with pytest.raises(
            BadInput,
            match=r"no bf16 on this machine \(available: fp32, int8\); use `--runtime openvino --precision bf16`",
        ):
            run.everything()


@pytest.mark.parametrize("part", ["xml", "bin"])
def test_either_file_of_an_ir_is_checked_before_use(tmp_path: Path, photos: tuple[Path, Path], part: str) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("openvino",))
    run.alone("export"), run.alone("verify"), run.alone("infer")
    path = tmp_path / f"out/models/tiny-openvino-fp32.{part}"
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BadInput, match=rf"tiny-openvino-fp32\.{part}: changed after this run built it"):
        run.alone("evaluate")
    assert run.alone("verify") is ExitCode.OK, "verify judges the files that are there"
    [artefact] = run.record.artefacts
    assert str(artefact.command) == "changed after it was built"
    assert file_digest(path) in [file.sha256 for file in artefact.files]
    run.alone("evaluate")
    assert run.record.evaluations[1].end_to_end.source != "outputs", "outputs of the files before the change"
