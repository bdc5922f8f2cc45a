"""The precision that an ONNX file computes in by its own types, whoever made it."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from porter.graphs.quantize.qdq_layers import quantised_layers
from porter.records.precision import FP32, INT8

if TYPE_CHECKING:
    import onnx


def own_precision(model: onnx.ModelProto) -> str:
    """`int8` where convolutions or matrix products are quantised, in whichever form; else the type of most weights:
    `fp32`, `fp16` or `bf16`."""
    import onnx

    if quantised_layers(model)[0]:
        return INT8
    names = {onnx.TensorProto.FLOAT: FP32, onnx.TensorProto.FLOAT16: "fp16", onnx.TensorProto.BFLOAT16: "bf16"}
    counts: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        if tensor.data_type in names:
            counts[names[tensor.data_type]] += math.prod(tensor.dims)
    return max(counts, key=lambda name: counts[name], default=FP32)
