"""A graph run node by node: every node once, and no tensor held longer than something still reads it.

Each node becomes a model of its own, without graph optimisations. The runtime then uses the kernels that it would use
for the whole graph run so: float32 and int8 graphs give the same bits. Float16 nodes that the CPU computes in float32
are rounded to float16 after each node, as the graph says; run whole, even without optimisations, the runtime leaves
out some of these roundings. Bfloat16 nodes are run in the same way where it has no kernel for them (`bfloat16`). All
this costs about a millisecond a node, fetches every intermediate tensor in one pass, and needs the memory of the
tensors in flight and of one node's weights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from porter.errors import one_line
from porter.graphs.bfloat16 import open_rounded
from porter.graphs.graph import Graph
from porter.graphs.values import OrtValue, cast, open_session, reason, type_of


@dataclass(eq=False)
class Lane:
    """The tensors of one feed on their way through the graph."""

    values: dict[str, OrtValue]
    """What later nodes read."""
    beside: Lane | None = None
    """Set on a lane that runs nodes alone: the lane of the same feed whose types it takes over. Such a lane is given
    the watched tensors from outside and never reads those that it computes."""
    results: dict[str, OrtValue] = field(default_factory=dict)
    """Watched tensors as computed in this lane, until `Walk.forget`."""
    problems: dict[str, str] = field(default_factory=dict)
    """Tensors that could not be computed, with the reason; an empty one where a lane beside was given too little."""
    types: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=dict)
    """Element type and shape of the watched tensors seen so far."""


class Walk:
    """One pass over a graph, with several lanes abreast."""

    def __init__(
        self,
        graph: Graph,
        lanes: Sequence[Lane],
        watched: Collection[str],
        threads: int,
        rounded: set[int] | None = None,
    ) -> None:
        """Bfloat16 nodes that are run in float32, for want of a kernel, are added to `rounded`."""
        self.graph = graph
        self.lanes = lanes
        self.failures: dict[int, str] = {}
        """Nodes that the runtime refused in a lane of their own graph, with its reason."""
        self._watched = frozenset(watched)
        self._threads = threads
        self._rounded = set() if rounded is None else rounded
        self._unread = {name: len(readers) for name, readers in graph.readers.items()}
        self._done = [False] * len(graph.nodes)

    def needed(self, names: Sequence[str]) -> list[int]:
        """The nodes that are still to be run for these tensors, in order."""
        found: set[int] = set()
        stack = [self.graph.producer[name] for name in names if name in self.graph.producer]
        while stack:
            index = stack.pop()
            if index in found or self._done[index]:
                continue
            found.add(index)
            stack += [self.graph.producer[n] for n in self.graph.variables(index) if n in self.graph.producer]
        return sorted(found)

    def is_read(self, name: str) -> bool:
        """Whether a node still to be run reads the tensor."""
        return self._unread.get(name, 0) > 0

    def forget(self, names: Sequence[str]) -> None:
        """Let go of results, once compared."""
        for lane in self.lanes:
            for name in names:
                lane.results.pop(name, None)

    def run(self, index: int) -> None:
        """Run one node in every lane, and drop what nothing reads any more."""
        variables = self.graph.variables(index)
        session: Any = None
        shared: dict[str, OrtValue] | None = None
        for lane in self.lanes:
            inputs = self._inputs(lane, variables)
            if isinstance(inputs, str):
                self._fail(lane, index, inputs)
                continue
            try:
                session = session or self._open(index, inputs)
                outputs = shared or dict(
                    zip(
                        self.graph.written(index),
                        session.run_with_ort_values(self.graph.written(index), inputs),
                        strict=True,
                    )
                )
            except Exception as error:  # the runtime's exceptions share no base of their own
                node = self.graph.nodes[index]
                text = f"node {self.graph.title(index)} ({one_line(node.op_type)}) fails: {reason(error)}"
                if lane.beside is None:
                    self.failures.setdefault(index, text)
                self._fail(lane, index, text)
                continue
            if not variables:  # the same in every lane
                shared = outputs
            self._store(lane, outputs)
        self._done[index] = True
        self._release(index)

    def _inputs(self, lane: Lane, names: Sequence[str]) -> dict[str, OrtValue] | str:
        """The node's inputs in a lane, or why there are none; see `Lane.problems`."""
        inputs = {}
        for name in names:
            value = lane.values.get(name)
            if value is None:
                return lane.problems.get(name, "")
            if lane.beside is not None and name in lane.beside.types:
                elem_type, shape = lane.beside.types[name]
                if not value.is_tensor() or tuple(value.shape()) != shape:
                    return ""
                value = cast(value, elem_type)
            inputs[name] = value
        return inputs

    def _open(self, index: int, inputs: dict[str, OrtValue]) -> Any:
        types = {}
        for name, value in inputs.items():
            kind = type_of(value)
            if kind is None:
                raise TypeError(f"it reads {one_line(name)!r}, a {value.data_type()}, which cannot be passed on")
            types[name] = kind
        try:
            return open_session(self.graph.node_model(index, types), self._threads)
        except Exception:  # the runtime's exceptions share no base of their own
            rounded = open_rounded(self.graph, index, types, self._threads)
            if rounded is None:
                raise
        self._rounded.add(index)
        return rounded

    def _store(self, lane: Lane, outputs: dict[str, OrtValue]) -> None:
        for name, value in outputs.items():
            watched = name in self._watched
            if watched:
                lane.results[name] = value
                if lane.beside is None and value.is_tensor():
                    lane.types[name] = (value.element_type(), tuple(value.shape()))
            if self.is_read(name) and not (watched and lane.beside is not None):
                lane.values[name] = value

    def _fail(self, lane: Lane, index: int, text: str) -> None:
        for name in self.graph.written(index):
            lane.problems[name] = text

    def _release(self, index: int) -> None:
        for name in self.graph.variables(index):
            self._unread[name] -= 1
            if not self._unread[name]:
                for lane in self.lanes:
                    lane.values.pop(name, None)
