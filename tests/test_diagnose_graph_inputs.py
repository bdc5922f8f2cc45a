"""What goes into a comparison of graphs: broken graphs, feeds that do not fit, candidates that are no graph."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from graphs import (
    FLOAT,
    UINT8,
    change_weight,
    diagnose,
    edited,
    graph,
    images,
    network,
    node,
    node_of,
    ones,
    set_attribute,
)
from numpy.typing import NDArray
from onnx import helper

from porter.errors import BadInput
from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe

# graphs that cannot be walked


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([node("Relu", ["x"], ["y"]), node("Neg", ["x"], ["y"])], "bad.onnx: tensor 'y' is written twice"),
        ([node("Relu", ["x"], ["x"])], "bad.onnx: tensor 'x' is written twice"),
        ([node("Add", ["x", "?"], ["y"], "sum")], "bad.onnx: node 'sum' reads '?', which nothing computes"),
        (
            [node("Add", ["x", "b"], ["y"], "one"), node("Neg", ["y"], ["b"], "two")],
            "bad.onnx: node 'one' is part of a cycle",
        ),
        ([node("Relu", ["x"], ["z"])], "bad.onnx: no node computes its output 'y'"),
    ],
)
def test_broken_graphs(nodes: list[onnx.NodeProto], text: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(text)}$"):
        OnnxProbe(graph(nodes, {"x": (FLOAT, [1])}, ["y"]), "bad.onnx")


def test_files_that_are_no_graph(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"not a model")
    for path in (tmp_path / "none.onnx", tmp_path / "a.onnx", tmp_path):
        with pytest.raises(BadInput, match=re.escape(str(path))):
            OnnxProbe.read(path)


def test_a_reference_that_fails_ends_the_diagnosis() -> None:
    spoilt = edited(lambda model: set_attribute(node_of(model, "/up/Resize"), "mode", "none such"))
    with pytest.raises(BadInput, match=r"^a\.onnx: node /up/Resize \(Resize\) fails: "):
        diagnose(spoilt, network())


def test_an_operator_that_the_runtime_lacks_is_a_finding() -> None:
    def spoil(model: onnx.ModelProto) -> None:
        target = node_of(model, "/last/Conv")
        target.op_type, target.domain = "MyConv", "own.domain"
        model.opset_import.append(helper.make_opsetid("own.domain", 1))

    found = diagnose(network(), edited(spoil))
    assert found.first is not None
    assert found.first.name == "/last/Conv"
    assert found.failures[0].startswith("node /last/Conv (MyConv) fails: ")
    assert [(check.side, check.passed) for check in found.optimisation] == [("reference", True), ("candidate", False)]
    assert "MyConv" in found.optimisation[1].problem
    assert found.outputs[0].error.problem == found.failures[0]


def test_graphs_with_nothing_in_common() -> None:
    one = graph([node("Relu", ["x"], ["y"])], {"x": (FLOAT, [1])}, ["y"])
    other = graph([node("Neg", ["x"], ["z"])], {"x": (FLOAT, [1])}, ["z"])
    with pytest.raises(BadInput, match="no tensor in common"):
        diagnose(one, other, [{"x": ones(1)}])


# feeds


@pytest.mark.parametrize(
    ("feed", "text"),
    [
        ({"imag": images()["image"]}, "a.onnx: no input 'imag'. Did you mean 'image'? Available: image"),
        ({}, "a.onnx: input 'image' has no tensor"),
        ({"image": ones(1, 3, 8, 16)}, "a.onnx: input 'image' is ?×3×16×16, the tensor fed to it is 1×3×8×16"),
        ({"image": ones(3, 16, 16)}, "a.onnx: input 'image' is ?×3×16×16, the tensor fed to it is 3×16×16"),
        (
            {"image": np.ones((1, 3, 16, 16), np.uint8)},
            "a.onnx: input 'image' is float32, the tensor fed to it is uint8",
        ),
        ({"image": np.full((1, 3, 16, 16), object())}, "a.onnx: input 'image' cannot be fed an array of type object: "),
    ],
)
def test_feeds_that_do_not_fit(feed: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(text)}"):
        diagnose(network(), network(), [feed])


def test_what_cannot_be_asked() -> None:
    probe = OnnxProbe(network(), "a.onnx", threads=1)
    with pytest.raises(BadInput, match="at least one feed"):
        diagnose_graphs(probe, probe, [])
    with pytest.raises(BadInput, match="2 feeds for the reference, 1 for the candidate"):
        diagnose_graphs(probe, probe, [images(), images()], candidate_feeds=[images()])
    with pytest.raises(BadInput, match="memory budget must be positive"):
        diagnose_graphs(probe, probe, [images()], budget_bytes=0)
    with pytest.raises(BadInput, match=r"no node computes '/stem/Conv_output_1'. Did you mean '/stem/Conv_output_0'\?"):
        probe.fetch(["/stem/Conv_output_1"], images())


def test_inputs_of_other_names_are_paired_in_order() -> None:
    def rename_input(model: onnx.ModelProto) -> None:
        model.graph.input[0].name = node_of(model, "/stem/Conv").input[0] = "data"

    found = diagnose(network(), edited(rename_input))
    assert found.first is None
    assert found.notes == ("input names differ in the candidate; paired in order: image is data",)


def test_a_candidate_with_its_own_input_layout() -> None:
    """A graph that takes bytes, channels last, and normalises by itself."""
    body = [node("Relu", ["scaled"], ["y"], "relu"), node("ReduceMean", ["y"], ["z"], "mean", axes=[2, 3])]
    reference = graph(
        [node("Mul", ["image", "scale"], ["scaled"], "scale"), *body],
        {"image": (FLOAT, ["N", 3, 4, 4])},
        ["z"],
        {"scale": np.float32(1 / 255)},
    )
    front = [
        node("Cast", ["bytes"], ["float"], "cast", to=FLOAT),
        node("Transpose", ["float"], ["planes"], "transpose", perm=[0, 3, 1, 2]),
        node("Mul", ["planes", "scale"], ["scaled"], "scale"),
    ]

    def candidate(scale: float) -> onnx.ModelProto:
        weights = {"scale": np.float32(scale)}
        return graph([*front, *body], {"bytes": (UINT8, ["N", 4, 4, 3])}, ["z"], weights)

    pixels = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
    feed = {"image": pixels.transpose(0, 3, 1, 2).astype(np.float32)}
    found = diagnose(reference, candidate(1 / 255), [feed], candidate_feeds=[{"bytes": pixels}])
    assert (found.first, found.match.matched) == (None, 3)
    assert {row.kind for row in found.static} == {"input"}
    spoilt = diagnose(reference, candidate(1 / 256), [feed], candidate_feeds=[{"bytes": pixels}])
    assert spoilt.first is not None
    assert spoilt.first.candidate_nodes == ("cast", "transpose", "scale")


# a candidate that is no graph


class NoGraph:
    """Another runtime, of which only tensors are seen; here it is ONNX Runtime again."""

    label = "other runtime"
    graph = None

    def __init__(self, model: onnx.ModelProto, names: Sequence[str] | None = None) -> None:
        self.inner = OnnxProbe(model, self.label, threads=1)
        self.offered = list(self.inner.names()) if names is None else list(names)
        self.asked: list[int] = []

    def names(self) -> Sequence[str]:
        return self.offered

    def fetch(self, names: Sequence[str], feed: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        self.asked.append(len(names))
        return self.inner.fetch(names, feed)

    def notes(self) -> Sequence[str]:
        return ("tensors of another runtime",)


def test_another_runtime_is_known_by_the_growth_of_error() -> None:
    candidate = NoGraph(edited(lambda model: change_weight(model, "stage.0.conv2.weight", lambda weight: weight * 1.1)))
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), candidate, [images()], budget_bytes=300_000)
    assert found.introduced_by == "growth"
    assert found.first is not None
    assert found.first.name == "/stage/stage.0/conv2/Conv"
    assert (found.first.alone, found.first.candidate_nodes) == (None, ())
    assert found.worst[0].name == "/stage/stage.0/conv2/Conv"
    assert found.profile[3].introduced_error == found.profile[3].relative_error
    assert found.profile[2].introduced_error == 0.0
    assert [check.side for check in found.optimisation] == ["reference"]
    assert found.outputs[0].error.exceeds
    # the groups, then the final output by itself, as it is in use
    assert (len(candidate.asked), sum(candidate.asked), candidate.asked[-1]) == (found.groups + 1, 15, 1)
    assert found.notes == candidate.notes()
    assert found.groups > 1


def test_another_runtime_that_hides_tensors() -> None:
    seen = ["/stem/Conv_output_0", "/stage/stage.1/Add_output_0", "scores"]
    candidate = NoGraph(
        edited(lambda model: change_weight(model, "stage.0.conv2.weight", lambda weight: weight * 1.1)), seen
    )
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), candidate, [images()])
    assert found.first is not None
    assert found.first.name == "/stage/stage.1/Add"
    assert "/stage/stage.0/conv2/Conv" in found.first.nodes
    assert (found.match.matched, found.match.only_in_reference.count) == (3, 11)
    with pytest.raises(BadInput, match="no tensor name in common"):
        diagnose_graphs(OnnxProbe(network(), "a.onnx"), NoGraph(network(), ["other"]), [images()])


def test_another_runtime_that_breaks_down_is_a_finding() -> None:
    baked = edited(lambda model: change_weight(model, "fc.weight", lambda weight: weight[:, :4]))
    found = diagnose_graphs(OnnxProbe(network(), "a.onnx", threads=1), NoGraph(baked), [images()], budget_bytes=1)
    assert found.first is not None
    assert found.first.name == "/fc/Gemm"
    assert len(found.failures) == 1
    assert found.failures[0].startswith("other runtime: node /fc/Gemm (Gemm) fails")
