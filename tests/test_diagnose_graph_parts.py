"""The parts of `porter.diagnose` for graphs: walk, names of modules, measures, chart."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from figures import unfounded
from graphs import (
    BOOL,
    FLOAT,
    change_weight,
    diagnose,
    edited,
    graph,
    images,
    network,
    node,
    node_of,
    ones,
)
from onnx import helper

from porter.documents.drawings.depth_axes import depth_chart, depth_description
from porter.graphs.feeds import bind
from porter.graphs.graph import Graph
from porter.graphs.measure import CHUNK, ErrorMeter
from porter.graphs.modules import module_of, module_of_name
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.walk import Lane, Walk
from porter.records.parity import Tolerance

# the walk


def test_node_by_node_gives_the_bits_of_the_whole_graph() -> None:
    model = network()
    probe = OnnxProbe(model, "a.onnx", threads=1)
    found = probe.fetch(probe.names(), images())
    whole = network()
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in probe.names() if name != "scores")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    wanted = session.run(list(found), images())
    for name, array in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_walk_holds_no_tensor_that_nothing_reads() -> None:
    tensors = Graph(network(), "a.onnx")
    lane = Lane(bind(tensors, images()))
    walk = Walk(tensors, [lane], tensors.outputs, 1)
    held = []
    for index in range(len(tensors.nodes)):
        walk.run(index)
        held.append(len(lane.values))
    assert max(held) == 2  # the branch and the residual
    assert held[-1] == 0
    assert list(lane.results) == ["scores"]


def test_subgraphs_see_the_tensors_around_them() -> None:
    def model(factor: float) -> onnx.ModelProto:
        def branch(op: str) -> onnx.GraphProto:
            out = [helper.make_tensor_value_info(f"{op}_out", FLOAT, None)]
            return helper.make_graph([node(op, ["doubled", "offset"], [f"{op}_out"])], op, [], out)

        nodes = [
            node("Mul", ["x", "factor"], ["doubled"], "double"),
            node("If", ["flag"], ["y"], "choice", then_branch=branch("Add"), else_branch=branch("Sub")),
            node("Neg", ["y"], ["z"], "last"),
        ]
        weights = {"factor": np.float32(factor), "offset": ones(1)}
        return graph(nodes, {"x": (FLOAT, ["N", 3]), "flag": (BOOL, [])}, ["z"], weights)

    feeds = [{"x": ones(2, 3), "flag": np.array(flag)} for flag in (True, False)]
    found = diagnose(model(2), model(3), feeds)
    assert found.first is not None
    assert (found.first.name, found.first.alone and found.first.alone.relative_error) == ("double", 0.5)
    assert [one.name for one in found.worst] == ["double"]


def test_sequences_are_passed_on_and_not_compared() -> None:
    nodes = [
        node("SplitToSequence", ["x"], ["parts"], "split", axis=1),
        node("ConcatFromSequence", ["parts"], ["y"], "join", axis=0),
    ]
    model = graph(nodes, {"x": (FLOAT, ["N", 3])}, ["y"])
    found = diagnose(model, model, [{"x": ones(2, 3)}])
    assert [entry.name for entry in found.profile] == ["join"]
    assert found.first is None
    assert found.notes == ("1 values are not tensors and were not compared: parts",)


def test_a_node_with_several_outputs_shows_the_one_that_is_furthest_off() -> None:
    def model(shift: float) -> onnx.ModelProto:
        nodes = [node("Add", ["x", "shift"], ["s"], "shift"), node("Split", ["s"], ["a", "b"], "split", axis=1)]
        return graph(nodes, {"x": (FLOAT, ["N", 4])}, ["a", "b"], {"shift": np.array([0, 0, 0, shift], "f4")}, opset=13)

    found = diagnose(model(0), model(1), [{"x": ones(1, 4)}])
    assert len(found.profile) == 2
    assert [output.error.exceeds for output in found.outputs] == [False, True]
    assert found.profile[1].relative_error == 1.0


def test_nodes_out_of_order_are_sorted() -> None:
    model = network()
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    assert diagnose(network(), model).first is None


# names of modules


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("/conv1/Conv", "conv1"),
        ("/layer1/layer1.0/conv1/Conv", "layer1.0.conv1"),
        ("/stage2/stage2.0/branches.0/branches.0.0/conv1/Conv", "stage2.0.branches.0.0.conv1"),
        (
            "/stage4/stage4.2/fuse_layers.3.0/fuse_layers.3.0.1/fuse_layers.3.0.1.0/Conv",
            "stage4.2.fuse_layers.3.0.1.0",
        ),
        ("/downsamp_modules.2/downsamp_modules.2.0/Conv", "downsamp_modules.2.0"),
        ("/Add_2", ""),
        ("/a/a1/Relu", "a.a1"),  # `a1` is no child of a container `a`
        ("", ""),
        ("/", ""),
    ],
)
def test_modules_from_scoped_names(name: str, module: str) -> None:
    assert module_of_name(name) == module


def test_modules_from_metadata_and_weights() -> None:
    scoped = node("Conv", ["x", "w"], ["y"], "node_conv2d")
    scopes = "['', 'stage2', 'stage2.0', 'stage2.0.conv1', 'conv2d']"
    scoped.metadata_props.append(onnx.StringStringEntryProto(key="pkg.torch.onnx.name_scopes", value=scopes))
    assert module_of(scoped) == "stage2.0.conv1"
    scoped.metadata_props[0].value = "not a list["
    assert module_of(scoped) == ""
    assert module_of(node("Conv", ["x", "layer1.0.conv1.weight"], ["y"], "Conv_4")) == "layer1.0.conv1"
    assert module_of(node("Conv", ["x", "onnx::Conv_12"], ["y"], "Conv_4")) == ""


# measures


def measure(a: Any, b: Any, tolerance: Tolerance | None = None) -> Any:
    meter = ErrorMeter(tolerance or Tolerance())
    meter.add(np.asarray(a), np.asarray(b))
    return meter.result()


def test_measures_by_their_formulas() -> None:
    random = np.random.default_rng(0)
    a = random.standard_normal(2 * CHUNK + 17)
    b = a + 1e-3 * random.standard_normal(len(a))
    error = measure(a, b)
    assert error.max_abs_error == np.abs(a - b).max()
    assert error.relative_error == np.abs(a - b).max() / np.abs(a).max()
    assert error.sqnr_db == pytest.approx(10 * math.log10((a**2).sum() / ((a - b) ** 2).sum()))
    assert error.cosine == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert error.exceeds


def test_the_tolerance_is_on_the_whole_tensor() -> None:
    tolerance = Tolerance(atol=0.0, rtol=0.01)
    assert not measure([100.0, 0.001], [100.0, 0.9], tolerance).exceeds
    assert measure([100.0, 0.001], [100.0, 1.1], tolerance).exceeds
    assert not measure([0, 3], [0, 3], Tolerance(atol=0.0, rtol=0.0)).exceeds


def test_errors_gather_over_feeds() -> None:
    meter = ErrorMeter(Tolerance(atol=0.0, rtol=0.1))
    meter.add(ones(2), ones(2) * 1.05)
    meter.add(ones(2) * 100, ones(2) * 101)
    error = meter.result()
    assert (error.max_abs_error, error.relative_error) == (1.0, pytest.approx(0.05))
    assert not error.exceeds


@pytest.mark.parametrize(
    ("a", "b", "exceeds"),
    [
        ([1.0, np.nan, np.inf], [1.0, np.nan, np.inf], False),
        ([1.0, np.inf], [1.0, -np.inf], True),
        ([1.0, 2.0], [1.0, np.nan], True),
        ([np.nan, 2.0], [1.0, 2.0], True),
        ([65504.0], np.array([np.inf], np.float16), True),
        ([], [], False),
        ([0.0, 0.0], [0.0, 0.0], False),
        ([0.0, 0.0], [0.0, 1.0], True),
        ([True, False], [True, True], True),
        (np.array(["a"]), np.array(["a"]), True),
        ([[1.0]], [1.0], True),
    ],
)
def test_odd_values(a: Any, b: Any, exceeds: bool) -> None:
    error = measure(a, b)
    assert error.exceeds is exceeds
    numbers = (error.max_abs_error, error.relative_error, error.sqnr_db, error.cosine)
    assert all(number is None or math.isfinite(number) for number in numbers)


# the chart


def test_the_chart_is_the_same_each_time_and_says_what_it_shows() -> None:
    def spoil(model: onnx.ModelProto) -> None:
        change_weight(model, "stage.0.conv2.weight", np.zeros_like)
        node_of(model, "/stage/stage.0/conv2/Conv").name = "$x$ <b>&"

    found = diagnose(edited(spoil), network())
    data = depth_chart(found)
    assert data == depth_chart(found)
    root = ElementTree.fromstring(data)
    space = "{http://www.w3.org/2000/svg}"
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "title desc")
    assert root.findtext(f"{space}title") == "b.onnx against a.onnx: error along the depth"
    description = root.findtext(f"{space}desc")
    assert description is not None
    assert description.startswith("14 nodes compared, 11 beyond the tolerance. The first is node 3, $x$ <b>&. ")
    text = data.decode()
    assert "<dc:date>" not in text
    assert "node, in topological order of the reference" in text  # text stays text
    assert "first beyond the tolerance: node 3" in text


@pytest.mark.parametrize("share", [1e-6, 1e-4, 1e-2, 1.0])
def test_the_description_states_figures_of_the_record_alone(share: float) -> None:
    found = diagnose(network(), edited(lambda model: change_weight(model, "stem.weight", lambda w: w * (1 + share))))
    assert unfounded(depth_description(found), msgspec.json.decode(msgspec.json.encode(found))) == []


@pytest.mark.parametrize("factor", [1.0, np.nan, np.inf])
def test_a_chart_without_errors_or_with_nothing_else(factor: float) -> None:
    found = diagnose(network(), edited(lambda model: change_weight(model, "stem.weight", lambda w: w * factor)))
    ElementTree.fromstring(depth_chart(found))
