"""ONNX Runtime's values: sessions that change nothing, conversion to numpy, casts."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from porter.errors import BadInput, Missing, one_line

if TYPE_CHECKING:
    import numpy as np
    import onnx

OrtValue: TypeAlias = Any
"""`onnxruntime.OrtValue`; that package has no type hints."""
PROVIDER = "CPUExecutionProvider"
_CAST_OPSET, _CAST_IR = 21, 10
"""The first that cast every type up to the 4-bit ones."""


def onnxruntime() -> Any:
    """The package. Raises `Missing` where it cannot be imported."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Missing(f"ONNX Runtime cannot be imported ({one_line(error)}). Run: pip install onnxruntime") from None
    return onnxruntime


def open_session(model: bytes, threads: int, *, optimise: bool = False) -> Any:
    """A session that runs the graph as it is written, or with every optimisation of the runtime.

    Without the memory arena, a value takes its own bytes and no more.
    """
    ort = onnxruntime()
    options = ort.SessionOptions()
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return ort.InferenceSession(model, options, providers=[PROVIDER])


def from_array(array: np.ndarray, where: str) -> OrtValue:
    """A value of the same type. Raises `BadInput`, which names `where`, for a type that the runtime does not take."""
    import numpy as np

    try:
        return onnxruntime().OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))
    except Exception as error:  # the runtime's exceptions share no base of their own
        raise BadInput(f"{where} cannot be fed an array of type {array.dtype}: {reason(error)}") from None


def to_array(value: OrtValue) -> np.ndarray | None:
    """The tensor; types that numpy lacks (bfloat16, float8, int4) become float32. None: not a tensor."""
    import onnx

    if not value.is_tensor():
        return None
    try:
        array: np.ndarray = value.numpy()
    except Exception:  # as above; bfloat16 and smaller types have no numpy type
        array = cast(value, onnx.TensorProto.FLOAT).numpy()
    return array


def cast(value: OrtValue, elem_type: int) -> OrtValue:
    """The tensor in another type of `onnx.TensorProto`, by the operator Cast."""
    if value.element_type() == elem_type:
        return value
    return _cast_session(value.element_type(), elem_type).run_with_ort_values(["y"], {"x": value})[0]


def type_of(value: OrtValue) -> onnx.TypeProto | None:
    """The ONNX type without the shape; None for what is neither a tensor nor a sequence of tensors."""
    import onnx

    if not (value.is_tensor() or value.is_tensor_sequence()):
        return None
    tensor = onnx.helper.make_tensor_type_proto(value.element_type(), None)
    return tensor if value.is_tensor() else onnx.helper.make_sequence_type_proto(tensor)


def type_name(elem_type: int) -> str:
    """A type of `onnx.TensorProto` as it is written: `float16`; ONNX's `float` is `float32`."""
    import onnx

    name: str = onnx.TensorProto.DataType.Name(elem_type).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def reason(error: Exception) -> str:
    """What ONNX Runtime says, on one line, without the place in its source."""
    text = one_line(error)
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = text.split("Status Message: ", 1)[-1]
    text = re.sub(r"^\S+\.(?:h|cc):\d+ (?:.* was false\. )?", "", text)
    return text[:300]


@functools.lru_cache(maxsize=32)
def _cast_session(source: int, target: int) -> Any:
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=target)],
        "cast",
        [helper.make_tensor_value_info("x", source, None)],
        [helper.make_tensor_value_info("y", target, None)],
    )
    opsets = [helper.make_opsetid("", _CAST_OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_CAST_IR)
    return open_session(model.SerializeToString(), 1)
