"""The int8 graph: ONNX with QuantizeLinear and DequantizeLinear around what is to be computed in eight bits."""

from __future__ import annotations

import platform
from collections.abc import Collection
from pathlib import Path
from typing import Any

from porter.graphs.onnxfile import read_onnx
from porter.graphs.quantize.int8_graph import quantiser
from porter.graphs.quantize.ranges import OPERATORS

WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
VNNI = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})


def write_qdq(graph: Path, ranges: Any, target: Path, *, float_nodes: Collection[str] = ()) -> int:
    """Quantise the float graph with these ranges (of `porter.graphs.quantize.ranges.measure`) and write it to `target`.

    Weights become int8, symmetric, with a scale for each output channel; activations uint8. `float_nodes` stay as they
    are. Returns the number of convolutions and matrix products that were quantised.
    """
    with quantiser(graph):
        from onnxruntime.quantization import QDQQuantizer, QuantType

        model = read_onnx(graph)
        # It changes its argument; positional, since versions name them differently.
        worker = QDQQuantizer(
            *(model, True, products_overflow(), QuantType.QInt8, QuantType.QUInt8),
            *(ranges, [], list(float_nodes), list(OPERATORS), {}),
        )
        worker.quantize_model()
        worker.model.save_model_to_file(str(target), False)
    return quantised_nodes(target)


def quantised_nodes(path: Path) -> int:
    """Convolutions and matrix products whose weights come from a DequantizeLinear."""
    nodes = read_onnx(path).graph.node
    restored = {name for node in nodes if node.op_type == "DequantizeLinear" for name in node.output}
    return sum(node.op_type in WEIGHTED and set(node.input[:2]) <= restored for node in nodes)


def products_overflow() -> bool:
    """Whether sums of int8 products can overflow on this processor, so that weights must do with seven bits.

    x86 without VNNI adds two products in 16 bits (VPMADDUBSW), which saturates. See "Quantize ONNX models" of ONNX
    Runtime's documentation. Where the processor's features cannot be read, it is taken for one of these.
    """
    if platform.machine().lower() not in ("x86_64", "amd64", "i386", "i686"):
        return False
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return True
    flags = next((line.split() for line in text.splitlines() if line.startswith("flags")), [])
    return not VNNI.intersection(flags)
