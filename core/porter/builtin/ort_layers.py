"""What ONNX Runtime made of a graph: which kernels run, in which precision, on which provider."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from porter.graphs.onnxfile import all_nodes, read_onnx

INT8_KERNELS = frozenset(
    {
        "QLinearConv",
        "QLinearMatMul",
        "QGemm",
        "ConvInteger",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "DynamicQuantizeMatMul",
    }
)
"""Kernels that multiply and sum int8."""
FLOAT_KERNELS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "FusedConv", "FusedGemm", "FusedMatMul"})
"""Kernels that do so in the type of their inputs."""
ASSIGNMENT = "session.record_ep_graph_assignment_info"


def layers_of(open_session: Callable[[str], Any]) -> dict[str, int]:
    """Convolutions and matrix products by the precision that they run in, on the CPU provider.

    `open_session` opens the session once more and writes the graph, as it was optimised for this processor, to the path
    that it is given.
    """
    with tempfile.TemporaryDirectory(prefix="porter-optimised-") as folder:
        path = Path(folder) / "optimised.onnx"
        open_session(str(path))
        kinds = Counter(node.op_type for node in all_nodes(read_onnx(path).graph))
    found = {
        "fp32": sum(count for kind, count in kinds.items() if kind in FLOAT_KERNELS),
        "int8": sum(count for kind, count in kinds.items() if kind in INT8_KERNELS),
    }
    return {name: count for name, count in found.items() if count}


def record_placement(settings: Any) -> None:
    """Ask a session, by its options, to remember which provider took which node."""
    settings.add_session_config_entry(ASSIGNMENT, "1")


def placement_of(session: Any) -> dict[str, int]:
    """Nodes by provider, before they are fused; empty where this ONNX Runtime does not say."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return {}
    counts: Counter[str] = Counter()
    for part in session.get_provider_graph_assignment_info():
        counts[str(part.ep_name)] += len(part.get_nodes())
    return dict(sorted(counts.items()))
