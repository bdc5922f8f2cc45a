"""The tensors fed to a graph: checked against its inputs, and carried over to a graph with other inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter.errors import BadInput, did_you_mean, one_line
from porter.graphs.graph import Graph
from porter.graphs.values import OrtValue, cast, from_array, type_name

if TYPE_CHECKING:
    import numpy as np
    import onnx


def bind(graph: Graph, feed: Mapping[str, np.ndarray]) -> dict[str, OrtValue]:
    """A feed as the runtime's values. Raises `BadInput` naming the input that is missing, unknown or of wrong shape.

    A float array is rounded to the float type of its input (float32 to bfloat16, which numpy lacks); any other
    difference of type is an error.
    """
    unknown = [name for name in feed if name not in graph.inputs]
    if unknown:
        near = did_you_mean(unknown[0], graph.inputs)
        raise BadInput(f"{graph.label}: no input {one_line(unknown[0])!r}{near or '.'} Available: {_listed(graph)}")
    values = {}
    for name, declared in graph.inputs.items():
        if name not in feed:
            raise BadInput(f"{graph.label}: input {one_line(name)!r} has no tensor")
        values[name] = _value(graph.label, declared, feed[name])
    return values


def carry_over(
    reference: Graph, candidate: Graph, feeds: Sequence[Mapping[str, np.ndarray]]
) -> tuple[list[dict[str, np.ndarray]], list[str]]:
    """The reference's feeds by the candidate's input names, and notes on what that took.

    Inputs are paired by name, else in order. Raises `BadInput` where there are more inputs on one side.
    """
    mine, theirs = list(reference.inputs), list(candidate.inputs)
    if set(mine) == set(theirs):
        theirs, notes = mine, []
    elif len(mine) == len(theirs):
        pairs = ", ".join(f"{one_line(a)} is {one_line(b)}" for a, b in zip(mine, theirs, strict=True) if a != b)
        notes = [f"input names differ in the candidate; paired in order: {pairs}"]
    else:
        raise BadInput(
            f"{candidate.label}: has the inputs {_listed(candidate)}, {reference.label} has {_listed(reference)}. "
            "Use separate tensors for each graph"
        )
    for old, new in zip(mine, theirs, strict=True):
        types = _type_name(reference.inputs[old]), _type_name(candidate.inputs[new])
        if types[0] != types[1]:
            notes.append(f"input {one_line(new)} is {types[1]} in the candidate: its tensors are rounded")
    names = dict(zip(mine, theirs, strict=True))
    return [{names[name]: array for name, array in feed.items()} for feed in feeds], notes


def _value(label: str, declared: onnx.ValueInfoProto, array: np.ndarray) -> OrtValue:
    import numpy as np
    import onnx

    where = f"{label}: input {one_line(declared.name)!r}"
    array = np.asarray(array)
    kind = declared.type.tensor_type
    if kind.HasField("shape"):
        sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        fits = len(sizes) == array.ndim and all(
            want in (None, have) for want, have in zip(sizes, array.shape, strict=True)
        )
        if not fits:
            wanted = "×".join("?" if size is None else str(size) for size in sizes) or "a scalar"
            raise BadInput(f"{where} is {wanted}, the tensor fed to it is {'×'.join(map(str, array.shape))}")
    value = from_array(array, where)
    if value.element_type() == kind.elem_type:
        return value
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
    if value.element_type() in floats and kind.elem_type in floats:
        return cast(value, kind.elem_type)
    raise BadInput(f"{where} is {_type_name(declared)}, the tensor fed to it is {array.dtype}")


def _type_name(declared: onnx.ValueInfoProto) -> str:
    return type_name(declared.type.tensor_type.elem_type)


def _listed(graph: Graph) -> str:
    return ", ".join(map(one_line, graph.inputs)) or "none"
