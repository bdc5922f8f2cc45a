"""A graph whose tensors are bfloat16: run node by node in float32 and rounded, where the CPU has no kernels for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from graphs import (
    BFLOAT16,
    BOOL,
    FLOAT,
    change_weight,
    diagnose,
    edited,
    graph,
    images,
    in_bfloat16,
    network,
    node,
    ones,
    rounded,
)
from onnx import helper, numpy_helper

from porter.errors import BadInput
from porter.graphs.onnx_probe import OnnxProbe
from porter.records.parity import Tolerance

UNIT_ROUNDOFF = 2.0**-8


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
