"""A graph in ONNX Runtime against what OpenVINO makes of it on the CPU, in float32 and in bf16."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graphs import FLOAT, change_weight, edited, graph, images, in_bfloat16, network, node, ones
from tiny import TinyPlugin, start, write_photos

from porter import BadInput, Missing, ProbeRequest, Tolerance, read_onnx
from porter.documents.drawings.depth_axes import depth_chart
from porter.graphs.graph import Graph
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.records.diagnosis import GraphDiagnosis
from porter_openvino.compiling import cpu_precisions
from porter_openvino.plugin import OpenVino
from porter_openvino.probe import OpenVinoProbe

UNIT_ROUNDOFF = 2.0**-8

openvino = pytest.importorskip("openvino")
needs_bf16 = pytest.mark.skipif("bf16" not in cpu_precisions(), reason="this CPU has no bf16")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    onnx.save(network(), path)
    return path


def probe_of(path: Path, precision: str = "fp32") -> OpenVinoProbe:
    probe = OpenVino().probe(ProbeRequest(onnx=path, precision=precision, threads=1))
    assert isinstance(probe, OpenVinoProbe)
    return probe


def compared(reference: OnnxProbe, path: Path, precision: str = "fp32", **options: Any) -> GraphDiagnosis:
    """As core compares: it reads the ONNX graph behind the probe by itself."""
    behind = Graph(read_onnx(path), path.name)
    return diagnose_graphs(
        reference, probe_of(path, precision), options.pop("feeds", [images()]), behind=behind, **options
    )


def against(path: Path, precision: str = "fp32", **options: Any) -> GraphDiagnosis:
    return compared(OnnxProbe(network(), "a.onnx", threads=1), path, precision, **options)


def test_openvino_in_float32_agrees(saved: Path) -> None:
    found = against(saved)
    assert (found.first, found.failures, found.static) == (None, (), ())
    assert (found.match.matched, found.introduced_by, found.candidate) == (
        14,
        "growth",
        "network.onnx in OpenVINO fp32",
    )
    assert all(entry.relative_error is not None and entry.relative_error < 1e-4 for entry in found.profile)
    assert "network.onnx in OpenVINO fp32: matrix layers by the precision that they run in: fp32 7" in found.notes


@needs_bf16
def test_openvino_in_bf16_differs_by_rounding(saved: Path) -> None:
    found = against(saved, "bf16")
    errors = [entry.relative_error for entry in found.profile]
    assert len(errors) == 14 and all(error is not None and 1e-4 < error < 1e-1 for error in errors), errors
    assert found.first is not None
    assert (found.first.name, found.first.alone, found.first.candidate_nodes) == ("/stem/Conv", None, ("/stem/Conv",))
    assert found.worst[0].name == "/stem/Conv"
    assert all(entry.introduced_error is not None for entry in found.profile)
    assert "network.onnx in OpenVINO bf16: matrix layers by the precision that they run in: bf16 7" in found.notes
    assert against(saved, "bf16", tolerance=Tolerance(rtol=0.05)).first is None
    chart = depth_chart(found).decode()
    assert "growth over the node" in chart and "network.onnx in OpenVINO bf16 against a.onnx" in chart


@needs_bf16
def test_openvino_in_bf16_is_float32_rounded_after_each_node(tmp_path: Path) -> None:
    """Of a graph in bfloat16, node by node: ONNX Runtime's float32 kernels, rounded, against bf16 arithmetic."""
    path = tmp_path / "low.onnx"
    onnx.save(in_bfloat16(network()), path)
    found = compared(OnnxProbe.read(path), path, "bf16")
    errors = [entry.relative_error for entry in found.profile]
    # the order of sums may differ, and with it a rounding here and there
    assert all(error is not None and error <= 2 * UNIT_ROUNDOFF for error in errors), errors


@needs_bf16
def test_the_final_outputs_are_those_in_use(saved: Path) -> None:
    """Fetching the tensors inside changes what is fused; the outputs are held against what a plain model gives."""
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": 1}
    plain = core.compile_model(core.read_model(saved), "CPU", settings)(images())["scores"]
    wanted = OnnxProbe(network(), "a.onnx", threads=1).fetch(["scores"], images())["scores"]
    found = against(saved, "bf16")
    (output,) = found.outputs
    assert output.error.max_abs_error == np.abs(plain.astype(np.float64) - wanted.astype(np.float64)).max()
    inside = found.profile[-1].relative_error
    assert inside is not None and output.error.relative_error is not None
    differs = f"{inside:.3g}" != f"{output.error.relative_error:.3g}"
    assert any(f"scores {output.error.relative_error:.3g} in use" in note for note in found.notes) is differs


def test_groups_are_fetched_one_by_one(saved: Path) -> None:
    whole, parted = against(saved), against(saved, budget_bytes=100_000)
    assert (whole.groups, parted.groups > 3) == (1, True)
    assert parted.first is None and parted.match.matched == 14


def test_an_edited_graph_is_found_in_openvino(tmp_path: Path) -> None:
    path = tmp_path / "edited.onnx"
    onnx.save(edited(lambda model: change_weight(model, "stage.0.conv2.weight", lambda weight: weight * 1.1)), path)
    found = against(path)
    assert found.first is not None and found.first.name == "/stage/stage.0/conv2/Conv"
    assert found.worst[0].name == "/stage/stage.0/conv2/Conv"
    assert [row.what for row in found.static] == ["stage.0.conv2.weight"]


def test_a_quantised_graph_is_held_against_its_dequantised_tensors(tmp_path: Path) -> None:
    """As ONNX Runtime's quantiser has it: the Relu is gone, and its name is that of the tensor before it."""
    weights = {"w": np.float32([[[[1.0]]], [[[-1.0]]]]), "v": np.full((1, 2, 1, 1), 0.5, np.float32)}
    whole = [node("Conv", ["x", "w"], ["c"]), node("Relu", ["c"], ["r"]), node("Conv", ["r", "v"], ["y"])]
    parts = [
        node("Conv", ["x", "w"], ["r"]),
        node("QuantizeLinear", ["r", "scale", "zero"], ["r_low"]),
        node("DequantizeLinear", ["r_low", "scale", "zero"], ["r_back"]),
        node("Conv", ["r_back", "v"], ["y"]),
    ]
    path, image = tmp_path / "int8.onnx", {"x": (FLOAT, [1, 1, 8, 8])}
    onnx.save(graph(parts, image, ["y"], {**weights, "scale": np.float32(0.02), "zero": np.uint8(0)}), path)
    reference = OnnxProbe(graph(whole, image, ["y"], weights), "a.onnx", threads=1)
    feed = {"x": np.random.default_rng(0).standard_normal((1, 1, 8, 8)).astype(np.float32)}
    found = compared(reference, path, feeds=[feed])
    assert (found.match.dequantised, found.match.only_in_reference.names) == (1, ("c",))
    assert found.first is not None and found.first.candidate_tensor == "r_back"
    assert found.first.error.max_abs_error == pytest.approx(0.01, rel=0.2)  # half a step


def test_tensors_that_openvino_merges_are_left_out_and_counted(tmp_path: Path) -> None:
    steps = [
        node("Relu", ["x"], ["r"]),
        node("Shape", ["r"], ["unread"]),
        node("Cast", ["r"], ["c"], to=FLOAT),
        node("Cast", ["c"], ["d"], to=FLOAT),
        node("Add", ["d", "w"], ["y"]),
    ]
    model = graph(steps, {"x": (FLOAT, ["N", 3])}, ["y"], {"w": ones(3)})
    path = tmp_path / "merged.onnx"
    onnx.save(model, path)
    probe = probe_of(path)
    hidden = {"r", "unread", "c", "d", "y"} - set(probe.names())
    assert "unread" in hidden and "y" not in hidden
    found = compared(OnnxProbe(model, "a.onnx", threads=1), path, feeds=[{"x": ones(2, 3)}])
    assert (found.first, found.match.only_in_reference.count) == (None, len(hidden))
    assert set(found.match.only_in_reference.names) == hidden
    with pytest.raises(BadInput, match="OpenVINO has no tensor 'unread'"):
        probe.fetch(["unread"], {"x": ones(2, 3)})


def test_a_feed_that_does_not_fit_is_refused(saved: Path) -> None:
    probe = probe_of(saved)
    image = images()["image"]
    for feed, message in (
        ({"picture": image}, "OpenVINO has the inputs image, got picture"),
        ({"image": image.astype(np.uint8)}, "OpenVINO: input 'image' is f32, got uint8"),
        ({"image": image[:, :2]}, "incompatible"),
    ):
        with pytest.raises(BadInput, match=message):
            probe.fetch(["scores"], feed)


def test_files_that_openvino_cannot_read(tmp_path: Path, saved: Path) -> None:
    unknown = tmp_path / "unknown.onnx"
    onnx.save(graph([node("Nonsense", ["x"], ["y"])], {"x": (FLOAT, [2])}, ["y"]), unknown)
    with pytest.raises(BadInput, match=r"unknown\.onnx: OpenVINO cannot read it: .*Nonsense"):
        probe_of(unknown)
    for path in (tmp_path, tmp_path / "absent.onnx"):
        with pytest.raises(BadInput, match=path.name):
            probe_of(path)
    with pytest.raises(Missing, match=r"computes in fp32 \(7 layers\) where int8 was asked for"):
        probe_of(saved, "int8")


def test_a_graph_in_bfloat16_is_called_what_it_is(tmp_path: Path) -> None:
    """Where the CPU has bf16, OpenVINO takes the hint and computes in bf16 all the same."""
    path = tmp_path / "low.onnx"
    onnx.save(in_bfloat16(network()), path)
    if "bf16" not in cpu_precisions():
        [note] = probe_of(path).notes()
        assert "that they run in: fp32 " in note and "bf16" not in note
        return
    with pytest.raises(Missing, match=r"computes in bf16 .*where fp32 was asked for"):
        probe_of(path)


# the command line


def porter(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "porter.cli.main", "diagnose", "graphs", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


@needs_bf16
def test_the_command_line_compares_with_openvino(saved: Path, tmp_path: Path) -> None:
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    same = porter(*both)
    assert (same.returncode, same.stdout.splitlines()[0]) == (0, "no node differs by more than the tolerance")
    chart = tmp_path / "chart.svg"
    low = porter(*both, "--candidate-precision", "bf16", "--rtol", "1e-4", "--chart", chart)
    assert low.returncode == 1, low.stderr
    assert low.stdout.startswith(
        f"model or runtime: network.onnx in OpenVINO bf16 first differs from {saved} at Conv `/stem/"
    )
    assert "output scores: relative error 0.00" in low.stdout and "bf16 7" in low.stdout
    assert chart.read_bytes().startswith(b"<?xml")
    expected = porter(*both, "--candidate-precision", "bf16", "--json")
    assert expected.returncode == 0, "what bf16 should round is within the estimate for bf16"
    assert json.loads(expected.stdout)["tolerance"]["rtol"] == pytest.approx(2 * UNIT_ROUNDOFF * 7**0.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--candidate-precision", "bf16"],
            "onnxruntime has fp32, int8 on this machine; use --candidate-runtime openvino",
        ),
        (["--candidate-runtime", "tensorrt"], "'tensorrt' is not installed. Available: onnxruntime, openvino"),
        (["--candidate-runtime", "openvino", "--candidate-precision", "fp7"], "fp7: openvino has fp32"),
    ],
)
def test_mistakes_are_one_line(saved: Path, arguments: list[str], message: str) -> None:
    done = porter("--reference", saved, "--candidate", saved, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1) and message in done.stderr


def test_without_openvino_the_package_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError(\"No module named 'openvino'\")\n")
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    done = porter(*both, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "pip install 'openvino>=2025.0'" in done.stderr


@pytest.mark.skipif("fp16" not in cpu_precisions(), reason="this CPU has no fp16 to hide")
def test_a_precision_that_openvino_would_replace_is_an_error(saved: Path) -> None:
    """Held to an older instruction set, OpenVINO would compute fp16 in another type, so it is not offered."""
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    done = porter(*both, "--candidate-precision", "fp16", ONEDNN_MAX_CPU_ISA="AVX512_CORE")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--candidate-precision fp16: openvino has fp32" in done.stderr


# a run


@pytest.fixture
def photos(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "val", write_photos(tmp_path / "val", [0, 1, 2] * 4)


def test_a_run_is_probed_in_the_precision_of_each_artefact(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    precisions = tuple(name for name in ("fp32", "bf16", "int8") if name in cpu_precisions())
    runtimes = ("onnxruntime", "openvino")
    run = start(
        tmp_path / "out",
        *photos,
        plugin=TinyPlugin(network=convolutional()),
        runtimes=runtimes,
        precisions=precisions,
        calibration_images=4,
        search_seconds=0.0,
    )
    run.everything()
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None and found.not_probed == ()
    assert [graph.candidate for graph in found.graphs] == [artefact.id for artefact in run.record.artefacts]
    by_name = {graph.candidate: graph for graph in found.graphs}
    assert by_name["onnxruntime-fp32"].introduced_by == "alone"
    for precision in precisions:
        graph = by_name[f"openvino-{precision}"]
        assert graph.introduced_by == "growth" and graph.failures == () and graph.match.matched >= 3
        assert any(f"{precision} 2" in note for note in graph.notes), graph.notes
    assert by_name["openvino-fp32"].first is None
    readme = (tmp_path / "out/README.md").read_text()
    assert "Nodes of openvino-fp32 over which the error grows most:" in readme
    assert "openvino-fp32 中误差增长最大的节点" in (tmp_path / "out/README.zh.md").read_text()


def test_weights_of_an_ir_that_somebody_changed_are_found(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    """The artefact's own files are probed, not the ONNX file that they were built from."""
    run = start(tmp_path / "out", *photos, plugin=TinyPlugin(network=convolutional()), runtimes=("openvino",))
    run.everything()
    weights = tmp_path / "out/models/tiny-openvino-fp32.bin"
    values = np.frombuffer(weights.read_bytes(), np.float32).copy()
    values[: 6 * 27] = 0
    weights.write_bytes(values.tobytes())
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None and not found.sound
    [graph] = found.graphs
    assert graph.first is not None and graph.first.op_type == "Conv" and graph.static == ()


def test_a_source_that_changed_is_no_graph_behind_an_artefact(tmp_path: Path, photos: tuple[Path, Path]) -> None:
    run = start(tmp_path / "out", *photos, runtimes=("openvino",))
    run.everything()
    source = tmp_path / "out/models/tiny.onnx"
    model = onnx.load(source)
    model.doc_string = "edited"
    onnx.save(model, source)
    run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None and found.graphs == ()
    [left] = found.not_probed
    assert (left.artefact, str(left.reason)) == (
        "openvino-fp32",
        "the ONNX file that it was built from has changed",
    )


def convolutional() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 3),
    ).eval()
