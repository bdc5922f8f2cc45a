"""Which nodes quantising hurts: each node of the int8 graph on the float graph's own tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.progress import Progress
from porter.diagnose.graphs.nodes import diagnose_graphs
from porter.diagnose.graphs.probe import OnnxProbe
from porter.quantize.ranges import OPERATORS
from porter.records.quantization import SensitiveNode

if TYPE_CHECKING:
    import numpy as np


def sensitive_nodes(
    graph: Path,
    quantised: Path,
    feeds: Sequence[Mapping[str, np.ndarray]],
    *,
    threads: int,
    progress: Progress | None = None,
) -> tuple[SensitiveNode, ...]:
    """The quantised nodes of the float graph by the noise that each adds alone, worst first.

    A node whose activation the quantiser merged into it (a Relu) brings that along: both are named, one after the
    other, with the noise of the pair. Runs both graphs node by node, as `porter diagnose` does.
    """
    reference, candidate = OnnxProbe.read(graph, threads=threads), OnnxProbe.read(quantised, threads=threads)
    kinds = {node.name: node.op_type for node in reference.graph.nodes}
    found = diagnose_graphs(reference, candidate, feeds, worst=len(kinds), progress=progress)
    ranked: dict[str, SensitiveNode] = {}
    for finding in found.worst:
        noise = None if finding.alone is None else finding.alone.noise
        for name in finding.nodes:
            if noise is not None and name not in ranked and kinds.get(name) in OPERATORS:
                ranked[name] = SensitiveNode(name=name, op_type=kinds[name], noise=noise)
    return tuple(ranked.values())
