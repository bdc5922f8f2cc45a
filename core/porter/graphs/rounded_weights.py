"""Weights that are values of a lesser precision than float32, and a model whose weights are rounded to one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from porter.graphs.onnxfile import all_tensors
from porter.records.precision import INT8, PRECISIONS

if TYPE_CHECKING:
    import numpy as np
    import onnx

ROUNDED = ("bf16", "fp16")
"""Precisions that are told apart, the coarsest first: a value of bf16 is one of fp16 as well, within its range."""
LEAST_ON_STEPS, NEAR_STEP = 8, 0.01
"""Values of a channel, and how near a whole number of steps each must lie; a tenth of a thousandth would by chance."""
DISTINCT, LOOKED_AT = 64, 1 << 16
"""Different values that weights must have for it to mean something, among the first so many of each tensor."""


def rounded_to(values: np.ndarray, precision: str) -> np.ndarray:
    """float32 values rounded to a precision, to nearest with ties to even; float32."""
    import numpy as np

    if precision == "fp16":
        with np.errstate(over="ignore"):
            found: np.ndarray = values.astype(np.float16).astype(np.float32)
        return found
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    kept = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return kept.view(np.float32)


def precision_of(weights: Iterable[np.ndarray]) -> str:
    """The coarsest precision whose values all of the weights are; empty: they are fp32, or too few to tell."""
    import numpy as np

    left, distinct = [INT8, *ROUNDED], 0
    for values in weights:
        found = np.asarray(values, np.float32)
        left = [name for name in left if _holds(name, found)]
        if not left:
            return ""
        distinct += len(np.unique(found.reshape(-1)[:LOOKED_AT]))
    return left[0] if distinct >= DISTINCT else ""


def _holds(precision: str, values: np.ndarray) -> bool:
    """Whether all of them are values of that precision."""
    import numpy as np

    if precision == INT8:
        return _on_steps(values)
    found = values.reshape(-1)
    head = found[:LOOKED_AT]
    return np.array_equal(rounded_to(head, precision), head) and (
        len(found) == len(head) or np.array_equal(rounded_to(found, precision), found)
    )


def _on_steps(values: np.ndarray) -> bool:
    """Whether each output channel, or the whole, has whole multiples of a 127th of its largest value alone."""
    import numpy as np

    rows = values.reshape(len(values), -1)
    if rows.shape[1] < LEAST_ON_STEPS:
        return False
    for some, axis in ((rows, 1), (rows, 0), (rows, None)):
        scale = np.abs(some).max(axis=axis, keepdims=True) / 127
        steps = some / np.maximum(scale, np.finfo(np.float32).tiny)
        if bool((np.abs(steps - np.rint(steps)) < NEAR_STEP).all()):
            return True
    return False


def weights_of(model: onnx.ModelProto) -> Iterator[np.ndarray]:
    """Tensors of floats with more than one axis, whatever type they are stored in."""
    import onnx

    proto = onnx.TensorProto
    for tensor in all_tensors(model):
        if len(tensor.dims) > 1 and tensor.data_type in (proto.FLOAT, proto.FLOAT16, proto.BFLOAT16):
            yield onnx.numpy_helper.to_array(tensor)


def round_weights(model: onnx.ModelProto, precision: str) -> None:
    """Round every float32 tensor of more than one axis, in place."""
    import onnx

    assert precision in PRECISIONS
    for tensor in all_tensors(model):
        if len(tensor.dims) > 1 and tensor.data_type == onnx.TensorProto.FLOAT:
            values = rounded_to(onnx.numpy_helper.to_array(tensor), precision)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
