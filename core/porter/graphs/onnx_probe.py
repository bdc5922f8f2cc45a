"""An ONNX graph that can be asked for its intermediate tensors, and walked node by node."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.probe import Probe
from porter.errors import BadInput, did_you_mean, one_line
from porter.graphs.feeds import bind
from porter.graphs.graph import Graph
from porter.graphs.onnxfile import read_onnx
from porter.graphs.values import open_session, reason, to_array
from porter.graphs.walk import Lane, Walk
from porter.machine.host import usable_threads

if TYPE_CHECKING:
    import numpy as np
    import onnx


class OnnxProbe(Probe):
    """An ONNX graph in ONNX Runtime on the CPU, without graph optimisations.

    Richer than any other probe: its graph is at hand, and any of its nodes can be run alone.
    """

    def __init__(self, model: onnx.ModelProto, label: str, *, threads: int | None = None) -> None:
        """`threads` within an operator; None: what this machine offers. Raises `BadInput` for a broken graph."""
        self.graph = Graph(model, label)
        self.label = label
        self.threads = threads or usable_threads()
        self.rounded: set[int] = set()
        """Nodes that were run in float32 so far, for want of a bfloat16 kernel."""

    @classmethod
    def read(cls, path: Path, *, threads: int | None = None) -> OnnxProbe:
        """Open a file. Raises `BadInput` where it is not a self-contained ONNX model."""
        return cls(read_onnx(path), str(path), threads=threads)

    def names(self) -> Sequence[str]:
        """The outputs of all nodes, in topological order."""
        return list(self.graph.producer)

    def fetch(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """These tensors; only nodes that they need are run. Raises `BadInput` where such a node fails."""
        for name in names:
            if name not in self.graph.producer:
                near = did_you_mean(name, self.graph.producer)
                raise BadInput(f"{self.label}: no node computes {one_line(name)!r}{near}")
        lane = Lane(bind(self.graph, feed))
        walk = self.walk([lane], names)
        for index in walk.needed(names):
            walk.run(index)
            if index in walk.failures:
                raise BadInput(f"{self.label}: {walk.failures[index]}")
        arrays = {name: to_array(lane.results[name]) for name in names}
        return {name: array for name, array in arrays.items() if array is not None}

    def walk(self, lanes: Sequence[Lane], watched: Collection[str]) -> Walk:
        """A pass over the graph that fetches the watched tensors."""
        return Walk(self.graph, lanes, watched, self.threads, self.rounded)

    def notes(self) -> Sequence[str]:
        """How many nodes were run in float32, where there were any."""
        if not self.rounded:
            return ()
        note = (
            f"{self.label}: {len(self.rounded)} nodes run in float32 and rounded to bfloat16, since ONNX Runtime has "
            "no bfloat16 kernel for them on this CPU; its optimised graph is not checked for the same reason"
        )
        return (note,)

    def optimised(self, feeds: Sequence[Mapping[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        """The final outputs for each feed as ONNX Runtime gives them with every graph optimisation on.

        Raises `BadInput` with the runtime's reason where it cannot load or run the graph.
        """
        names = [name for name in self.graph.outputs if name in self.graph.producer]
        try:
            session = open_session(self.graph.model.SerializeToString(), self.threads, optimise=True)
            runs = [session.run_with_ort_values(names, bind(self.graph, feed)) for feed in feeds]
        except Exception as error:  # the runtime's exceptions share no base of their own
            raise BadInput(f"{self.label}: ONNX Runtime with graph optimisations: {reason(error)}") from None
        found = []
        for run in runs:
            arrays = {name: to_array(value) for name, value in zip(names, run, strict=True)}
            found.append({name: array for name, array in arrays.items() if array is not None})
        return found
