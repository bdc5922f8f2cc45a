"""An ONNX file is read whole or refused: nothing it needs may lie elsewhere, and its outputs may come in any order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from porter.errors import BadInput
from porter.graphs.onnxfile import export_problems, facts_of, read_onnx
from porter.records.spec import ModelSpec, PreprocessSpec, TensorSpec


def outside(name: str) -> onnx.TensorProto:
    """A constant whose values are said to lie in a file above the model's folder."""
    tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    return tensor


def graph_of(*nodes: onnx.NodeProto, outputs: tuple[str, ...] = ("y",)) -> onnx.GraphProto:
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1]) for name in ("x", *outputs)}
    return helper.make_graph(list(nodes), "tiny", [values.pop("x")], list(values.values()))


def add(name: str = "w") -> onnx.NodeProto:
    return helper.make_node("Add", ["x", name], ["y"])


def in_initializer(tensor: onnx.TensorProto) -> onnx.ModelProto:
    graph = graph_of(add())
    graph.initializer.append(tensor)
    return helper.make_model(graph)


def in_constant(tensor: onnx.TensorProto) -> onnx.ModelProto:
    return helper.make_model(graph_of(helper.make_node("Constant", [], ["w"], value=tensor), add()))


def in_sparse_initializer(tensor: onnx.TensorProto) -> onnx.ModelProto:
    graph = graph_of(add())
    graph.sparse_initializer.append(onnx.SparseTensorProto(values=tensor, dims=[1]))
    return helper.make_model(graph)


def in_sparse_constant(tensor: onnx.TensorProto) -> onnx.ModelProto:
    sparse = onnx.SparseTensorProto(values=tensor, dims=[1])
    return helper.make_model(graph_of(helper.make_node("Constant", [], ["w"], sparse_value=sparse), add()))


def in_subgraph(tensor: onnx.TensorProto) -> onnx.ModelProto:
    branch = graph_of(add())
    branch.initializer.append(tensor)
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=graph_of(add()))
    return helper.make_model(graph_of(node))


def in_function(tensor: onnx.TensorProto) -> onnx.ModelProto:
    opsets = [helper.make_opsetid("", 17)]
    body = [helper.make_node("Constant", [], ["w"], value=tensor), add()]
    function = helper.make_function("mine", "Shift", ["x"], ["y"], body, opsets)
    return helper.make_model(graph_of(helper.make_node("Shift", ["x"], ["y"], domain="mine")), functions=[function])


@pytest.mark.parametrize(
    "place", [in_initializer, in_constant, in_sparse_initializer, in_sparse_constant, in_subgraph, in_function]
)
def test_weights_outside_the_file_are_refused_wherever_they_hang(
    tmp_path: Path, place: Callable[[onnx.TensorProto], onnx.ModelProto]
) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(place(numpy_helper.from_array(np.ones(1, np.float32), "w")).SerializeToString())
    read_onnx(path)
    path.write_bytes(place(outside("w")).SerializeToString())
    with pytest.raises(BadInput, match=r"tiny\.onnx: 1 weights are outside the file \(first: w\)"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gone.onnx", "no such file"),
        (".", "a folder; the ONNX file must be a file"),
        ("/dev/zero", "not a regular file; the path of the file itself is needed"),
        ("a\0b", "cannot be read"),
        ("empty.onnx", "empty, not an ONNX file"),
        ("text.onnx", "is a web page, not the file"),
        ("nothing.onnx", "not an ONNX model: it is not an ONNX"),
    ],
)
def test_what_is_no_onnx_file_is_refused_in_one_line(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "empty.onnx").touch()
    (tmp_path / "text.onnx").write_text("<html>404 not found</html>")
    (tmp_path / "nothing.onnx").write_bytes(onnx.ModelProto(ir_version=7).SerializeToString())
    with pytest.raises(BadInput) as caught:
        read_onnx(tmp_path / name)
    assert problem in str(caught.value) and "\n" not in str(caught.value)


def problems(*outputs: str) -> list[str]:
    """Of a file with the outputs `a` and `b`, for a spec with these."""
    nodes = (helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Neg", ["x"], ["b"]))
    model = helper.make_model(graph_of(*nodes, outputs=("a", "b")), opset_imports=[helper.make_opsetid("", 13)])
    spec = ModelSpec(
        name="tiny",
        task="classification",
        inputs=(TensorSpec(name="x", shape=("N", 1)),),
        outputs=tuple(TensorSpec(name=name, shape=("N", 1)) for name in outputs),
        preprocess=PreprocessSpec(resize=1, crop=(1, 1)),
    )
    return export_problems(facts_of(model, 1), model, spec, 13, dynamic=True)


def test_outputs_are_known_by_name_not_by_place() -> None:
    assert problems("a", "b") == []
    assert problems("b", "a") == []
    assert problems("b") == ["outputs are b, a, expected b"]
    assert problems("b", "c") == ["outputs are b, a, expected b, c"]
