"""Two graphs that should agree: the node that parts them is named, whatever was done to the candidate."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from graphs import (
    FLOAT,
    change_weight,
    diagnose,
    edited,
    graph,
    images,
    network,
    node_of,
    rename,
    set_attribute,
)
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from porter.records.diagnosis import GraphDiagnosis
from porter.records.parity import Tolerance


def first_of(found: GraphDiagnosis) -> str:
    assert found.first is not None
    return found.first.name


def static_rows(found: GraphDiagnosis) -> list[tuple[str, str, str]]:
    return [(row.kind, row.node, row.what) for row in found.static]


def test_identical_graphs_do_not_part() -> None:
    found = diagnose(network(), network(), [images(2), images(3, seed=1)])
    assert (found.first, found.first_change, found.worst, found.static, found.failures) == (None, None, (), (), ())
    assert found.match.method == "name"
    assert found.match.only_in_reference.count == found.match.only_in_candidate.count == 0
    assert len(found.profile) == found.match.matched == 14
    assert [entry.depth for entry in found.profile] == list(range(14))
    assert {(entry.relative_error, entry.introduced_error, entry.exceeds) for entry in found.profile} == {
        (0.0, 0.0, False)
    }
    (output,) = found.outputs
    assert (output.output, output.error.max_abs_error, output.error.sqnr_db) == ("scores", 0.0, None)
    assert output.error.cosine == pytest.approx(1.0)
    assert [(check.side, check.passed) for check in found.optimisation] == [("reference", True), ("candidate", True)]
    assert (found.feeds, found.groups, found.notes) == (2, 1, ())


def test_the_record_is_json() -> None:
    found = diagnose(network(), edited(lambda model: change_weight(model, "fc.weight", lambda w: w * np.nan)))
    assert found.first is not None
    assert msgspec.json.decode(msgspec.json.encode(found), type=GraphDiagnosis) == found


def test_a_zeroed_weight_is_named() -> None:
    found = diagnose(network(), edited(lambda model: change_weight(model, "stage.0.conv2.weight", np.zeros_like)))
    assert static_rows(found) == [("weight", "/stage/stage.0/conv2/Conv", "stage.0.conv2.weight")]
    (row,) = found.static
    assert (row.candidate, row.relative_error) == ("float32 8×8×3×3: all zero", pytest.approx(1.0))
    assert row.module == "stage.0.conv2"
    assert found.first is not None
    assert (found.first.name, found.first.op_type, found.first.module) == (
        "/stage/stage.0/conv2/Conv",
        "Conv",
        "stage.0.conv2",
    )
    assert found.first.attributes["kernel_shape"] == "[3, 3]"
    assert found.first.candidate_nodes == found.first.nodes == ("/stage/stage.0/conv2/Conv",)
    assert found.first.error == found.first.alone  # nothing came in before it
    assert [one.name for one in found.worst] == ["/stage/stage.0/conv2/Conv"]  # all others only pass it on
    assert found.introduced_by == "alone"
    after = [entry for entry in found.profile if entry.depth > found.first.depth]
    assert [entry.name for entry in after if entry.relative_error] == [
        *("/stage/stage.0/Add", "/stage/stage.1/conv1/Conv", "/stage/stage.1/relu/Relu", "/stage/stage.1/conv2/Conv"),
        *("/stage/stage.1/Add", "/up/Resize", "/last/Conv", "/ReduceMean", "/Reshape", "/fc/Gemm"),
    ]
    assert {entry.introduced_error for entry in after} == {0.0}


def test_a_changed_resize_is_named() -> None:
    candidate = edited(
        lambda model: set_attribute(node_of(model, "/up/Resize"), "coordinate_transformation_mode", "half_pixel")
    )
    found = diagnose(network(), candidate)
    (row,) = found.static
    assert (row.kind, row.node, row.what) == ("attribute", "/up/Resize", "coordinate_transformation_mode")
    assert (row.reference, row.candidate) == ("asymmetric", "half_pixel")
    assert first_of(found) == "/up/Resize"
    assert [one.name for one in found.worst] == ["/up/Resize"]


def test_an_attribute_left_to_its_default_is_no_difference() -> None:
    def drop(model: onnx.ModelProto) -> None:
        node = node_of(model, "/stem/Conv")
        kept = [attribute for attribute in node.attribute if attribute.name not in ("group", "dilations")]
        del node.attribute[:]
        node.attribute.extend(kept)

    # `group` has a default in the operator's schema; `dilations` has none, and means ones.
    assert static_rows(diagnose(network(), edited(drop))) == [("attribute", "/stem/Conv", "dilations")]


def test_one_edited_weight() -> None:
    def nudge(by: float) -> Any:
        def change(weight: NDArray[np.float32]) -> NDArray[np.float32]:
            weight[3, 1, 0, 2] += by
            return weight

        return edited(lambda model: change_weight(model, "stage.1.conv1.weight", change))

    loud = diagnose(network(), nudge(0.3))
    assert first_of(loud) == "/stage/stage.1/conv1/Conv"
    (row,) = loud.static
    assert (row.what, row.max_abs_error) == ("stage.1.conv1.weight", pytest.approx(0.3, rel=1e-5))

    quiet = diagnose(network(), nudge(1e-6))
    assert quiet.first is None
    assert quiet.first_change is not None
    assert quiet.first_change.name == "/stage/stage.1/conv1/Conv"
    assert quiet.static_total == 1


@pytest.mark.parametrize("new", [lambda name: f"renamed/{name}", lambda name: str(abs(hash(name)))])
def test_renamed_tensors_are_matched_by_structure(new: Any) -> None:
    def spoil(model: onnx.ModelProto) -> None:
        change_weight(model, "stage.1.conv2.weight", lambda weight: weight * 0.5)
        rename(model, new)

    found = diagnose(network(), edited(spoil))
    assert (found.match.method, found.match.matched) == ("structure", 14)
    assert first_of(found) == "/stage/stage.1/conv2/Conv"
    assert static_rows(found) == [("weight", "/stage/stage.1/conv2/Conv", "stage.1.conv2.weight")]


def test_numbered_names_that_mean_other_tensors_are_not_trusted() -> None:
    """Old exporters number tensors: one node more, and every later number stands for another tensor."""

    def numbered(model: onnx.ModelProto, start: int) -> None:
        names = [name for node in model.graph.node for name in node.output if name != "scores"]
        numbers = {name: str(start + k) for k, name in enumerate(names)}
        rename(model, lambda name: numbers.get(name, ""))

    candidate = edited(lambda model: numbered(model, 101))
    found = diagnose(edited(lambda model: numbered(model, 100)), candidate)
    assert (found.match.method, found.match.matched, found.first) == ("structure", 14, None)


def test_float16_errors_grow_along_the_depth() -> None:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    candidate = convert_float_to_float16(network())
    found = diagnose(network(), candidate)
    assert found.match.matched == 14
    assert found.match.only_in_reference.count == 0
    (storage,) = [row for row in found.static if row.kind == "storage"]
    assert storage.what.startswith("15 constants, furthest off: ")
    assert (storage.reference, storage.candidate) == ("float32", "float16")
    assert storage.relative_error is not None
    assert 0 < storage.relative_error <= 2**-11
    assert not [row for row in found.static if row.kind == "weight"]  # rounding is no edited weight
    assert any("float16 in the candidate" in note for note in found.notes)
    assert first_of(found) == "/stem/Conv"
    assert len(found.worst) == 10
    assert all(entry.relative_error is not None and entry.relative_error < 5e-3 for entry in found.profile)
    assert diagnose(network(), candidate, tolerance=Tolerance(atol=1e-5, rtol=1e-2)).first is None


def test_bfloat16_weights_are_rounding() -> None:
    def store(model: onnx.ModelProto) -> None:
        for node in list(model.graph.node):
            if node.op_type == "Conv":
                tensor = next(t for t in model.graph.initializer if t.name == node.input[1])
                values = numpy_helper.to_array(tensor)
                tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.BFLOAT16, values.shape, values.ravel()))
                cast = helper.make_node("Cast", [tensor.name], [f"{tensor.name}_float"], to=FLOAT)
                model.graph.node.insert(0, cast)
                node.input[1] = cast.output[0]

    found = diagnose(network(), edited(store))
    (storage,) = found.static
    assert (storage.kind, storage.candidate) == ("storage", "bfloat16")
    assert storage.what.startswith("6 constants")
    assert found.match.only_in_candidate.by_operator == {"Cast": 6}
    assert found.first is not None
    assert found.first.candidate_nodes[-1] == "/stem/Conv"
    assert len(found.first.candidate_nodes) == 2


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    """`network()` in int8, as ONNX Runtime's quantiser writes it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = iter([images(4, seed=seed) for seed in range(3)])

        def get_next(self) -> Any:
            return next(self.feeds, None)

    folder: Path = tmp_path_factory.mktemp("int8")
    source, target = folder / "float.onnx", folder / "int8.onnx"
    onnx.save(network(), source)
    logging.disable(logging.WARNING)  # the quantiser advises a preparation that this graph does not need
    try:
        quantize_static(source, target, Reader(), quant_format=QuantFormat.QDQ, per_channel=True)
    finally:
        logging.disable(logging.NOTSET)
    return onnx.load(target)


def test_a_tensor_is_held_against_its_dequantised_form(quantised: onnx.ModelProto) -> None:
    """The quantiser drops each Relu and gives its name to the tensor before it: the raw tensor misleads."""
    found = diagnose(network(), quantised)
    assert found.match.method == "name"
    assert found.match.dequantised > 8
    assert found.match.only_in_reference.by_operator == {"Conv": 2}
    assert {row.kind for row in found.static} == {"storage"}
    assert first_of(found) == "/stem/Conv"
    assert len(found.worst) == 10
    assert all(entry.relative_error is not None and entry.relative_error < 0.1 for entry in found.profile)
    (relu,) = [one for one in found.worst if one.name == "/stage/stage.0/relu/Relu"]
    assert relu.nodes == ("/stage/stage.0/conv1/Conv", "/stage/stage.0/relu/Relu")
    assert "/stage/stage.0/conv1/Conv" in relu.candidate_nodes
    assert relu.candidate_tensor.endswith("_DequantizeLinear_Output")


def test_worst_goes_by_noise_to_signal(quantised: onnx.ModelProto) -> None:
    ratios = [one.alone.sqnr_db for one in diagnose(network(), quantised).worst if one.alone]
    assert None not in ratios
    assert ratios == sorted(ratios, key=lambda ratio: ratio or 0.0)


def test_a_spoilt_scale_is_a_difference(quantised: onnx.ModelProto) -> None:
    candidate = onnx.ModelProto()
    candidate.CopyFrom(quantised)
    change_weight(candidate, "last.weight_scale", lambda scale: scale * 4)
    found = diagnose(network(), candidate)
    assert ("weight", "/last/Conv", "last.weight") in static_rows(found)
    assert found.worst[0].name == "/last/Conv"


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ([1, -1], "shape 1×16, the reference has 2×8"),
        ([1, 8], "node /Reshape (Reshape) fails: The input tensor cannot be reshaped"),
    ],
)
def test_a_batch_baked_into_a_reshape(target: list[int], problem: str) -> None:
    def bake(model: onnx.ModelProto) -> None:
        constant = numpy_helper.from_array(np.array(target), "value")
        set_attribute(node_of(model, "/Constant"), "value", constant)

    found = diagnose(network(), edited(bake))
    assert found.first is not None
    assert found.first.name == "/Reshape"
    assert found.first.error.problem.startswith(problem)
    assert found.first.error.max_abs_error is None
    assert static_rows(found) == [("weight", "/Reshape", "/Constant_output_0")]
    assert found.static[0].reference == "int64 2: -1, 8"
    assert found.worst[0].name == "/Reshape"
    (output,) = found.outputs
    assert output.error.exceeds
    assert [one.name for one in found.worst] == ["/Reshape"]  # what follows is right when given the right tensor
    assert len(found.failures) == 1  # [1, -1] stops at the Gemm after it
    assert diagnose(network(), edited(bake), [images(1)]).first is None  # at the batch that it holds it is right


def test_a_node_that_makes_nan_is_named() -> None:
    def spoil(model: onnx.ModelProto) -> None:
        place = next(k for k, node in enumerate(model.graph.node) if node.name == "/stage/stage.0/relu/Relu")
        node = model.graph.node[place]
        model.graph.node.remove(node)
        model.graph.node.insert(place, helper.make_node("Sqrt", node.input, node.output, node.name))

    found = diagnose(network(), edited(spoil))
    assert found.first is not None
    assert found.first.name == "/stage/stage.0/relu/Relu"
    assert "NaN or infinite on one side only" in found.first.error.problem
    assert static_rows(found) == [("operator", "/stage/stage.0/relu/Relu", "operator")]
    assert found.worst[0].name == "/stage/stage.0/relu/Relu"
    nan_after = [entry.name for entry in found.profile if entry.exceeds]
    assert nan_after[0] == "/stage/stage.0/relu/Relu"
    assert [one.name for one in found.worst] == ["/stage/stage.0/relu/Relu"]


def test_a_nan_that_the_reference_has_as_well_is_noted() -> None:
    spoilt = edited(lambda model: change_weight(model, "fc.bias", lambda bias: bias * np.nan))
    found = diagnose(spoilt, spoilt)
    assert found.first is None
    assert found.notes == ("the reference itself has NaN in 1 tensors, first in scores",)


def test_an_inserted_node_is_shown_behind_the_next_tensor() -> None:
    def insert(model: onnx.ModelProto) -> None:
        node = node_of(model, "/last/Conv")
        place = list(model.graph.node).index(node)
        model.graph.initializer.append(numpy_helper.from_array(np.array(0.1, np.float32), "top"))
        clip = helper.make_node("Clip", [node.input[0], "", "top"], ["clipped"], "clip")
        model.graph.node.insert(place, clip)
        node_of(model, "/last/Conv").input[0] = "clipped"

    found = diagnose(network(), edited(insert))
    assert found.first is not None
    assert (found.first.name, found.first.candidate_nodes) == ("/last/Conv", ("clip", "/last/Conv"))
    assert found.match.only_in_candidate.names == ("clipped",)


def test_a_rewired_input_is_a_static_difference() -> None:
    def rewire(model: onnx.ModelProto) -> None:
        node_of(model, "/stage/stage.1/Add").input[1] = "/stem/Conv_output_0"

    found = diagnose(network(), edited(rewire))
    (row,) = found.static
    assert (row.kind, row.node, row.what) == ("wiring", "/stage/stage.1/Add", "input 1")
    assert (row.reference, row.candidate) == ("/stage/stage.0/Add_output_0", "/stem/Conv_output_0")
    assert first_of(found) == "/stage/stage.1/Add"


def test_a_dropped_output_and_a_fixed_batch_are_static_differences() -> None:
    def fix(model: onnx.ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2

    found = diagnose(network(), edited(fix))
    assert [(row.kind, row.reference, row.candidate) for row in found.static] == [
        ("input", "image float32 ?×3×16×16", "image float32 2×3×16×16")
    ]
    assert found.first is None

    nodes = [helper.make_node("Relu", ["x"], ["a"], "relu"), helper.make_node("Neg", ["a"], ["b"], "neg")]
    both = graph(nodes, {"x": (FLOAT, ["N", 4])}, ["a", "b"])
    one = graph(nodes, {"x": (FLOAT, ["N", 4])}, ["a"])
    found = diagnose(both, one, [{"x": np.ones((1, 4), np.float32)}])
    assert ("output", "", "number") in static_rows(found)


def test_the_same_result_in_any_budget() -> None:
    candidate = edited(lambda model: change_weight(model, "stage.0.conv1.weight", lambda weight: weight * 1.01))
    feeds = [images(2), images(1, seed=3)]
    wide, narrow = (diagnose(network(), candidate, feeds, budget_bytes=budget) for budget in (1 << 28, 1))
    assert (wide.groups, narrow.groups) == (1, 14)
    middle = diagnose(network(), candidate, feeds, budget_bytes=600_000)
    assert 1 < middle.groups < 14
    for other in (narrow, middle):
        assert dataclasses.replace(other, groups=1) == wide
