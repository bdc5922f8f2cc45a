"""How many layers of a graph are quantised, whichever way that is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter.graphs.onnxfile import all_nodes

if TYPE_CHECKING:
    import onnx

FLOAT_LAYERS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
INTEGER_LAYERS = frozenset({"QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger"})


def quantised_layers(model: onnx.ModelProto) -> tuple[int, int]:
    """Convolutions and matrix products that are quantised, and all: those whose two factors are both dequantised, or
    whose operator takes integers."""
    nodes = list(all_nodes(model.graph))
    dequantised = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    found = total = 0
    for node in nodes:
        total += node.op_type in FLOAT_LAYERS or node.op_type in INTEGER_LAYERS
        found += node.op_type in INTEGER_LAYERS
        found += node.op_type in FLOAT_LAYERS and all(name in dequantised for name in node.input[:2])
    return found, total
