"""porter.diagnose.graph_findings: what a comparison of graphs comes down to, in a few lines."""

from __future__ import annotations

import numpy as np
import onnx
from graphs import FLOAT, change_weight, diagnose, edited, graph, images, network, node, node_of, ones, set_attribute
from onnx import numpy_helper

from porter.diagnose.graph_findings import STATIC_SHOWN, graph_lines
from porter.records.diagnosis import GraphDiagnosis


def said(found: GraphDiagnosis) -> list[str]:
    return [str(line) for line in graph_lines(found)]


def test_a_removed_node_is_named() -> None:
    def without_relu(model: onnx.ModelProto) -> None:
        relu = node_of(model, "/stage/stage.1/relu/Relu")
        node_of(model, "/stage/stage.1/conv2/Conv").input[0] = relu.input[0]
        model.graph.node.remove(relu)

    first = said(diagnose(network(), edited(without_relu)))[0]
    assert "only a.onnx passes through /stage/stage.1/relu/Relu on the way" in first


def test_an_added_node_is_named() -> None:
    def doubled(model: onnx.ModelProto) -> None:
        conv = node_of(model, "/stage/stage.0/conv1/Conv")
        output, conv.output[0] = conv.output[0], "once"
        place = list(model.graph.node).index(conv) + 1
        model.graph.node.insert(place, onnx.helper.make_node("Add", ["once", "once"], [output], "twice"))

    first = said(diagnose(network(), edited(doubled)))[0]
    assert "`/stage/stage.0/conv1/Conv`" in first and "only b.onnx passes through twice on the way" in first


def test_one_change_to_many_nodes_is_one_line() -> None:
    def shifted(model: onnx.ModelProto) -> None:
        for one in model.graph.node:
            if one.name.startswith("/stage/") and one.op_type == "Conv":
                set_attribute(one, "pads", [2, 2, 0, 0])

    lines = [line for line in said(diagnose(network(), edited(shifted))) if "attribute pads" in line]
    assert len(lines) == 1 and "/stage/stage.0/conv1/Conv and 3 more Conv nodes is [2, 2, 0, 0]" in lines[0]


def test_many_changes_are_counted() -> None:
    def all_weights(model: onnx.ModelProto) -> None:
        for tensor in list(model.graph.initializer):
            if numpy_helper.to_array(tensor).dtype.kind == "f":
                change_weight(model, tensor.name, lambda values: values + 1)

    found = diagnose(network(), edited(all_weights))
    lines = said(found)
    assert sum(" weight " in line for line in lines) == STATIC_SHOWN < found.static_total
    assert f"{found.static_total - STATIC_SHOWN} more places" in lines[-1]


def test_differences_that_cancel_are_said_to() -> None:
    """As where a BatchNormalization is folded into the convolution before it."""
    inputs = {"image": (FLOAT, ["N", 3, 16, 16])}
    nodes = [node("Mul", ["image", "a"], ["x"], "first"), node("Mul", ["x", "b"], ["y"], "second")]
    plain = graph(nodes, inputs, ["y"], {"a": ones(1) * 2, "b": ones(1) * 3})
    other = graph(nodes, inputs, ["y"], {"a": ones(1) * 3, "b": ones(1) * 2})
    lines = said(diagnose(plain, other, [images()]))
    assert (
        "first differs from a.onnx at Mul `first`" in lines[0] and "outputs of b.onnx are within tolerance" in lines[1]
    )


def test_the_same_nan_on_both_sides_is_no_difference() -> None:
    def poisoned(model: onnx.ModelProto) -> None:
        change_weight(model, "fc.bias", lambda values: values * np.float32("nan"))

    lines = said(diagnose(edited(poisoned), edited(poisoned)))
    assert len(lines) == 1 and "a.onnx itself contains NaN, first in" in lines[0]
