"""A bfloat16 node for which the runtime has no kernel, run in float32 and rounded."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from porter.graphs.graph import Graph
from porter.graphs.values import OrtValue, cast, open_session

if TYPE_CHECKING:
    import onnx

TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")
"""Attributes of ONNX's operators that name the type of an output."""


class RoundedSession:
    """One node on bfloat16 tensors, computed in float32, its bfloat16 outputs rounded to nearest, ties to even.

    This is what hardware does that multiplies bfloat16 and accumulates in float32, but for the order of the sums.
    """

    def __init__(self, session: Any, rounded: Collection[str]) -> None:
        """`session` runs the node in float32; `rounded` are the outputs that the graph has in bfloat16."""
        self._session, self._rounded = session, frozenset(rounded)

    def run_with_ort_values(self, names: Sequence[str], inputs: Mapping[str, OrtValue]) -> list[OrtValue]:
        """Called like a session of the runtime."""
        import onnx

        proto = onnx.TensorProto
        wide = {name: cast(value, proto.FLOAT) if _is_bfloat16(value) else value for name, value in inputs.items()}
        found = zip(names, self._session.run_with_ort_values(names, wide), strict=True)
        return [cast(value, proto.BFLOAT16) if name in self._rounded else value for name, value in found]


def open_rounded(graph: Graph, index: int, types: Mapping[str, onnx.TypeProto], threads: int) -> RoundedSession | None:
    """The node in float32; None where it has no bfloat16 tensor, or where float32 within it would be inexact.

    A node with a subgraph rounds inside it, and the outputs of an operator that ONNX does not know may have any type:
    neither is run. Raises what the runtime raises where it lacks the node in float32 as well.
    """
    import onnx

    bfloat16 = onnx.TensorProto.BFLOAT16
    model = onnx.load_model_from_string(graph.node_model(index, types))
    outputs = _output_types(model)
    kinds = {*outputs.values(), *(value.type.tensor_type.elem_type for value in model.graph.input)}
    kinds |= {tensor.data_type for tensor in model.graph.initializer}
    nested = any(attribute.HasField("g") or attribute.graphs for attribute in model.graph.node[0].attribute)
    if bfloat16 not in kinds or onnx.TensorProto.UNDEFINED in outputs.values() or nested:
        return None
    _widen(model)
    rounded = [name for name, kind in outputs.items() if kind == bfloat16]
    return RoundedSession(open_session(model.SerializeToString(), threads), rounded)


def _output_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of the outputs by ONNX's own inference; `UNDEFINED` where it knows none."""
    import onnx

    with contextlib.suppress(onnx.shape_inference.InferenceError):  # an operator that ONNX does not know
        model = onnx.shape_inference.infer_shapes(model)
    return {value.name: value.type.tensor_type.elem_type for value in model.graph.output}


def _widen(model: onnx.ModelProto) -> None:
    """Make every bfloat16 of a model of one node float32; the values stay the same."""
    import onnx

    bfloat16, float32 = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == bfloat16:
            value.type.tensor_type.elem_type = float32
    for tensor in model.graph.initializer:
        _widen_tensor(tensor)
    for attribute in model.graph.node[0].attribute:
        if attribute.name in TYPE_ATTRIBUTES and attribute.i == bfloat16:
            attribute.i = float32
        if attribute.HasField("t"):
            _widen_tensor(attribute.t)


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    import numpy as np
    import onnx

    if tensor.data_type == onnx.TensorProto.BFLOAT16:
        array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _is_bfloat16(value: OrtValue) -> bool:
    import onnx

    return bool(value.is_tensor() and value.element_type() == onnx.TensorProto.BFLOAT16)
