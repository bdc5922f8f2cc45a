"""Which tensors eight bits hurt: each node of the int8 graph on the float graph's own tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.progress import Progress
from porter.errors import BadInput
from porter.graphs.candidates import GraphSource
from porter.graphs.feeds import bind
from porter.graphs.findings import behind
from porter.graphs.graph import Graph
from porter.graphs.matching import match_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.quantize.ranges import OPERATORS
from porter.graphs.values import to_array
from porter.graphs.walk import Lane
from porter.records.quantization import SensitiveTensor

if TYPE_CHECKING:
    import numpy as np


def sensitive_tensors(
    graph: Path,
    quantised: Path,
    feed: Mapping[str, np.ndarray],
    *,
    threads: int,
    progress: Progress | None = None,
) -> tuple[SensitiveTensor, ...]:
    """The tensors of the float graph by the noise that int8 adds to each alone, worst first.

    Walks both graphs node by node, as `porter diagnose` does. Raises `BadInput` where the float graph cannot be run.
    """
    reference, candidate = OnnxProbe.read(graph, threads=threads), OnnxProbe.read(quantised, threads=threads)
    match = match_graphs(reference.graph, candidate.graph)
    lane = Lane(bind(reference.graph, feed))
    walk = reference.walk([lane], match.tensors)
    source = GraphSource(candidate, match, [feed])
    found = []
    with (progress or Progress()).step("sensitivity, node by node", len(reference.graph.nodes)) as advance:
        for index in range(len(reference.graph.nodes)):
            walk.run(index)
            if walk.failures:
                raise BadInput(f"{graph}: {walk.failures[index]}")
            for name in reference.graph.written(index):
                if name not in match.tensors:
                    continue
                other = match.tensors[name]
                source.fetch({other: [lane.results[name]]})
                wanted, got = to_array(lane.results[name]), source.alone(other, 0)
                nodes = _around(reference.graph, name, match.tensors)
                if wanted is not None and got is not None and not isinstance(got, str) and nodes:
                    found.append(SensitiveTensor(tensor=name, nodes=nodes, noise=channel_noise(wanted, got)))
                walk.forget([name])
            advance(1)
    ranked = [one for one in found if one.noise > 0]
    return tuple(sorted(ranked, key=lambda one: -one.noise))


def channel_noise(wanted: np.ndarray, got: np.ndarray) -> float:
    """Noise to signal, sqrt(sum (a - b)² / sum a²), of each channel (axis 1), at most 1; its mean over the channels.

    Over the whole tensor one channel of large values would hide that nothing is left of the others. Channels without a
    signal are left out. Tensors of another shape count as lost: 1.
    """
    import numpy as np

    if wanted.shape != got.shape:
        return 1.0
    axes = tuple(axis for axis in range(wanted.ndim) if axis != 1)
    a = wanted.astype(np.float64)
    signal, noise = np.square(a).sum(axis=axes), np.square(got - a).sum(axis=axes)
    alive = signal > 0
    if not np.any(alive):
        return 0.0
    ratios = np.sqrt(np.atleast_1d(noise)[np.atleast_1d(alive)] / np.atleast_1d(signal)[np.atleast_1d(alive)])
    return float(np.minimum(np.nan_to_num(ratios, nan=1.0), 1.0).mean())


def _around(graph: Graph, tensor: str, compared: Mapping[str, str]) -> tuple[str, ...]:
    """The quantised nodes behind a tensor and those that read it; several may read it in forms of another shape."""
    kinds = {node.name: node.op_type for node in graph.nodes}
    before = behind(graph, tensor, compared)
    after = [graph.nodes[reader].name for reader in graph.readers.get(tensor, [])]
    return tuple(name for name in dict.fromkeys((*before, *after)) if kinds.get(name) in OPERATORS)
