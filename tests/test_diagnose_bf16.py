"""bf16 against float32: graphs written in bfloat16, and float32 graphs that OpenVINO computes in bf16."""

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
import torch
from graphs import BOOL, FLOAT, change_weight, diagnose, edited, graph, images, network, node, ones
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from porter.diagnose.graphs.chart import depth_chart
from porter.diagnose.graphs.nodes import diagnose_graphs
from porter.diagnose.graphs.openvino import OpenVinoProbe
from porter.diagnose.graphs.probe import OnnxProbe
from porter.errors import BadInput, Missing
from porter.openvino import cpu_precisions
from porter.records.diagnosis import GraphDiagnosis
from porter.records.parity import Tolerance

BFLOAT16 = TensorProto.BFLOAT16
UNIT_ROUNDOFF = 2.0**-8


def rounded(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To the nearest bfloat16, ties to even, by another implementation than ONNX Runtime's."""
    nearest: NDArray[np.float32] = torch.from_numpy(array.copy()).bfloat16().float().numpy()
    return nearest


def in_bfloat16(model: onnx.ModelProto, *, cast: bool = False) -> onnx.ModelProto:
    """The weights in bfloat16, and with them all that is computed; `cast` keeps input and outputs float32."""
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT:
            values = rounded(numpy_helper.to_array(tensor))
            bits = (values.view(np.uint32) >> 16).astype(np.uint16)
            tensor.CopyFrom(helper.make_tensor(tensor.name, BFLOAT16, values.shape, bits.tobytes(), raw=True))
    if not cast:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.elem_type = BFLOAT16
        return model
    first = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Cast", first.input[:1], ["low"], "enter", to=BFLOAT16))
    model.graph.node[1].input[0] = "low"
    last = model.graph.node[-1]
    model.graph.node.append(helper.make_node("Cast", ["low_scores"], last.output[:1], "leave", to=FLOAT))
    model.graph.node[-2].output[0] = "low_scores"
    return model


# graphs in bfloat16, in ONNX Runtime


def test_every_node_is_float32_rounded_to_bfloat16() -> None:
    """Each node's output is the rounded float32 output of the same node on the same bfloat16 inputs."""
    low = OnnxProbe(in_bfloat16(network()), "low.onnx", threads=1)
    feed = {"image": rounded(images()["image"])}
    found = low.fetch(low.names(), feed)
    wide = {tensor.name: numpy_helper.to_array(tensor) for tensor in network().graph.initializer}
    wide = {name: rounded(array) if array.dtype == np.float32 else array for name, array in wide.items()}
    wide |= {name: numpy_helper.to_array(tensor) for name, tensor in low.graph.constants.items() if name not in wide}
    for step in low.graph.nodes:
        inputs = {name: (feed | dict(found) | wide)[name] for name in step.input if name}
        kinds = {name: (helper.np_dtype_to_tensor_dtype(array.dtype), array.shape) for name, array in inputs.items()}
        single = OnnxProbe(graph([step], kinds, step.output, opset=13), "one.onnx", threads=1)
        (exact,) = single.fetch(step.output, inputs).values()
        np.testing.assert_array_equal(found[step.output[0]], rounded(exact), err_msg=step.name)


def test_a_graph_in_bfloat16_differs_by_rounding_and_says_how_it_was_run() -> None:
    found = diagnose(network(), in_bfloat16(network()))
    errors = [entry.relative_error for entry in found.profile]
    assert all(error is not None and UNIT_ROUNDOFF / 8 < error < 0.1 for error in errors), errors
    assert found.first is not None and found.first.name == "/stem/Conv"
    assert found.failures == () and found.match.only_in_reference.count == 0
    assert found.introduced_by == "alone"
    alone = [one.alone.relative_error for one in found.worst if one.alone is not None]
    assert len(alone) == 10 and all(error is not None and error < 4 * UNIT_ROUNDOFF for error in alone)
    assert any("b.onnx: 13 nodes run in float32 and rounded to bfloat16" in note for note in found.notes)
    assert [check.side for check in found.optimisation] == ["reference"]  # the runtime cannot run the other one whole
    assert diagnose(network(), in_bfloat16(network()), tolerance=Tolerance(rtol=0.05)).first is None


def test_a_graph_in_bfloat16_can_be_the_reference() -> None:
    found = diagnose(in_bfloat16(network()), in_bfloat16(network()))
    assert (found.first, found.first_change, found.optimisation) == (None, None, ())
    assert [note.split(":")[0] for note in found.notes] == ["a.onnx", "b.onnx"]


def test_an_edit_shows_through_the_rounding() -> None:
    low = in_bfloat16(edited(lambda model: change_weight(model, "stage.1.conv1.weight", lambda weight: weight * 1.25)))
    found = diagnose(network(), low, tolerance=Tolerance(rtol=0.05))
    assert found.first is not None and found.first.name == "/stage/stage.1/conv1/Conv"
    assert found.worst[0].name == "/stage/stage.1/conv1/Conv"
    assert [row.what for row in found.static if row.kind == "weight"] == ["stage.1.conv1.weight"]


def test_casts_at_the_ends_run_as_they_are() -> None:
    found = diagnose(network(), in_bfloat16(network(), cast=True))
    assert {row.kind for row in found.static} == {"storage"}
    assert any("13 nodes run in float32" in note for note in found.notes)


@pytest.mark.parametrize(
    ("step", "weights", "wanted"),
    [
        (node("Greater", ["x", "x2"], ["y"]), {}, [False, True]),
        (node("Where", ["c", "x", "x2"], ["y"]), {"c": np.array([True, False])}, [1.0, 2.0]),
        (
            node("Mul", ["x", "w"], ["y"]),
            {"w": helper.make_tensor("w", BFLOAT16, [], [1 + 2**-7])},
            [1.0078125, 3.03125],
        ),
        (node("Cast", ["x"], ["y"], to=FLOAT), {}, [1.0, 3.0]),
        (node("Cast", ["f"], ["y"], to=BFLOAT16), {"f": np.float32([1 + 2**-8, 1 + 3 * 2**-8])}, [1.0, 1.015625]),
        (
            node("ConstantOfShape", ["s"], ["y"], value=helper.make_tensor("v", BFLOAT16, [1], [1.5])),
            {"s": np.array([2])},
            [1.5, 1.5],
        ),
    ],
    ids=lambda part: part.op_type if isinstance(part, onnx.NodeProto) else "",
)
def test_types_of_outputs_are_the_operators_own(step: onnx.NodeProto, weights: Any, wanted: list[float]) -> None:
    """Rounded is what the operator gives in bfloat16, and nothing else; ties go to even."""
    model = graph([step], {"x": (BFLOAT16, [2]), "x2": (BFLOAT16, [2])}, ["y"], weights, opset=21)
    model.ir_version = 10
    feed = {"x": np.float32([1, 3]), "x2": np.float32([2, 2])}
    found = OnnxProbe(model, "a.onnx", threads=1).fetch(["y"], feed)["y"]
    assert found.tolist() == wanted
    assert found.dtype == (np.bool_ if isinstance(wanted[0], bool) else np.float32)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (node("Nonsense", ["x"], ["y"], "odd", domain="mine"), "Nonsense"),
        (node("Conv", ["x", "narrow"], ["y"], "odd"), "channel"),
        (
            node(
                "If",
                ["c"],
                ["y"],
                "odd",
                then_branch=helper.make_graph(
                    [node("Relu", ["x"], ["r"])], "then", [], [helper.make_tensor_value_info("r", BFLOAT16, None)]
                ),
                else_branch=helper.make_graph(
                    [node("Neg", ["x"], ["n"])], "else", [], [helper.make_tensor_value_info("n", BFLOAT16, None)]
                ),
            ),
            "(Relu|Neg)",
        ),
    ],
    ids=["unknown operator", "weights that do not fit", "subgraph"],
)
def test_what_cannot_be_run_in_float32_either_fails_with_the_reason(step: onnx.NodeProto, reason: str) -> None:
    weights = {"narrow": helper.make_tensor("narrow", BFLOAT16, [2, 5, 1, 1], [1.0] * 10)}
    model = graph([step], {"x": (BFLOAT16, [1, 2, 3, 3]), "c": (BOOL, [])}, ["y"], weights, opset=22)
    model.ir_version = 10
    probe = OnnxProbe(model, "a.onnx", threads=1)
    with pytest.raises(BadInput, match=rf"a\.onnx: node odd \(\w+\) fails: .*{reason}"):
        probe.fetch(["y"], {"x": ones(1, 2, 3, 3), "c": np.array(True)})


# a float32 graph that OpenVINO computes in a precision of its own

openvino = pytest.importorskip("openvino")
needs_bf16 = pytest.mark.skipif("bf16" not in cpu_precisions(), reason="this CPU has no bf16")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "network.onnx"
    onnx.save(network(), path)
    return path


def against(path: Path, precision: str = "fp32", **options: Any) -> GraphDiagnosis:
    reference = OnnxProbe(network(), "a.onnx", threads=1)
    return diagnose_graphs(reference, OpenVinoProbe(path, precision, threads=1), [images()], **options)


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
    found = diagnose_graphs(OnnxProbe.read(path), OpenVinoProbe(path, "bf16", threads=1), [images()])
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
    probe = OpenVinoProbe(path, threads=1)
    hidden = {"r", "unread", "c", "d", "y"} - set(probe.names())
    assert "unread" in hidden and "y" not in hidden
    found = diagnose_graphs(OnnxProbe(model, "a.onnx", threads=1), probe, [{"x": ones(2, 3)}])
    assert (found.first, found.match.only_in_reference.count) == (None, len(hidden))
    assert set(found.match.only_in_reference.names) == hidden
    with pytest.raises(BadInput, match="OpenVINO has no tensor 'unread'"):
        probe.fetch(["unread"], {"x": ones(2, 3)})


def test_a_feed_that_does_not_fit_is_refused(saved: Path) -> None:
    probe = OpenVinoProbe(saved, threads=1)
    image = images()["image"]
    for feed, message in (
        ({"picture": image}, "takes the inputs image, was fed picture"),
        ({"image": image.astype(np.uint8)}, "takes the input 'image' as f32, was fed uint8"),
        ({"image": image[:, :2]}, "incompatible"),
    ):
        with pytest.raises(BadInput, match=message):
            probe.fetch(["scores"], feed)


def test_files_that_openvino_cannot_read(tmp_path: Path, saved: Path) -> None:
    unknown = tmp_path / "unknown.onnx"
    onnx.save(graph([node("Nonsense", ["x"], ["y"])], {"x": (FLOAT, [2])}, ["y"]), unknown)
    with pytest.raises(BadInput, match=r"unknown\.onnx: OpenVINO cannot read it: .*Nonsense"):
        OpenVinoProbe(unknown)
    for path in (tmp_path, tmp_path / "absent.onnx"):
        with pytest.raises(BadInput, match=path.name):
            OpenVinoProbe(path)
    with pytest.raises(BadInput, match="precision 'int8' is none of fp32, bf16, fp16"):
        OpenVinoProbe(saved, "int8")


def test_a_graph_in_bfloat16_is_not_called_float32(tmp_path: Path) -> None:
    """OpenVINO takes the hint and computes in bf16 all the same."""
    path = tmp_path / "low.onnx"
    onnx.save(in_bfloat16(network()), path)
    with pytest.raises(Missing, match=r"computes in bf16 .*fp32 was asked for"):
        OpenVinoProbe(path, "fp32")


# the command line


def porter(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "porter.cli.main", "diagnose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})


@needs_bf16
def test_the_command_line_compares_with_openvino(saved: Path, tmp_path: Path) -> None:
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    same = porter(*both)
    assert (same.returncode, same.stdout.splitlines()[0]) == (0, "no node differs beyond the tolerance")
    chart = tmp_path / "chart.svg"
    low = porter(*both, "--candidate-precision", "bf16", "--rtol", "1e-4", "--chart", chart)
    assert low.returncode == 1, low.stderr
    assert low.stdout.startswith(
        f"model or runtime: network.onnx in OpenVINO bf16 leaves {saved} first at Conv '/stem/"
    )
    assert "output scores: relative error 0.00" in low.stdout and "bf16 7" in low.stdout
    assert chart.read_bytes().startswith(b"<?xml")
    expected = porter(*both, "--candidate-precision", "bf16", "--json")
    assert expected.returncode == 0, "what bf16 should round is within the estimate for bf16"
    assert json.loads(expected.stdout)["tolerance"]["rtol"] == pytest.approx(2 * UNIT_ROUNDOFF * 7**0.5)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--candidate-precision", "bf16"], 2, "give --candidate-runtime openvino"),
        (["--candidate-runtime", "tensorrt"], 2, "'tensorrt' is not one of"),
        (["--candidate-runtime", "openvino", "--candidate-precision", "int8"], 2, "'int8' is not one of"),
    ],
)
def test_mistakes_are_one_line(saved: Path, arguments: list[str], code: int, message: str) -> None:
    done = porter("--reference", saved, "--candidate", saved, *arguments)
    assert (done.returncode, done.stdout) == (code, "") and message in done.stderr


def test_options_of_graphs_need_graphs(tmp_path: Path) -> None:
    done = porter(tmp_path, "--candidate-runtime", "openvino")
    assert done.returncode == 2 and "go with --reference A.onnx" in done.stderr and done.stderr.count("\n") == 1


def test_without_openvino_the_extra_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError(\"No module named 'openvino'\")\n")
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    done = porter(*both, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "pip install 'porter-core[openvino]'" in done.stderr


@pytest.mark.skipif("fp16" not in cpu_precisions(), reason="this CPU has no fp16 to hide")
def test_a_precision_that_openvino_replaces_is_an_error(saved: Path) -> None:
    """Held to an older instruction set, OpenVINO computes fp16 in bf16, and says so only when it is asked."""
    both = ("--reference", saved, "--candidate", saved, "--candidate-runtime", "openvino")
    done = porter(*both, "--candidate-precision", "fp16", ONEDNN_MAX_CPU_ISA="AVX512_CORE")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
    assert "computes in bf16 where fp16 was asked for" in done.stderr
