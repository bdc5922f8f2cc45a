"""Weights of two graphs held against each other, whatever type they are stored in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter.errors import BadInput, one_line
from porter.graphs.graph import Graph
from porter.graphs.matching import source
from porter.graphs.values import to_array, type_name
from porter.graphs.walk import Lane, Walk

if TYPE_CHECKING:
    import numpy as np
    import onnx

FEW = 8
"""An array of up to so many values is shown whole."""
ROUNDING = {"float32": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half a step of each float type at the largest value, as a share of that value."""


@dataclass(frozen=True)
class WeightPair:
    """One constant against its counterpart."""

    reference: str
    """What it holds, in words."""
    candidate: str
    differs: bool
    max_abs_error: float | None = None
    relative_error: float | None = None


@dataclass
class _Storage:
    count: int = 0
    worst: float = 0.0
    worst_name: str = ""


class StoredWeights:
    """Compares constants, and keeps count of those that are only stored in another type.

    `rounding` is what a quantiser may have moved a value by that is stored in its old type, as a share of the largest.
    """

    def __init__(self, reference: Graph, candidate: Graph, *, rounding: float = 0.0) -> None:
        self._reference, self._candidate, self._rounding = reference, candidate, rounding
        self._seen: set[tuple[str, str]] = set()
        self._storage: dict[tuple[str, str], _Storage] = {}

    def compare(self, name: str, other: str) -> WeightPair | None:
        """The pair; None where either is no constant, `differs` False for a pair that was compared before."""
        import numpy as np

        tensor = self._reference.constants.get(name)
        stored = self._candidate.constants.get(source(self._candidate, other))
        if tensor is None or stored is None:
            return None
        if (name, other) in self._seen:
            return WeightPair("", "", False)
        self._seen.add((name, other))
        a, b = self._array(self._reference, tensor), self._values(other)
        if b is None:
            return WeightPair(_summary(a), "cannot be computed", True)
        if a.shape != b.shape or a.dtype.kind not in "biuf" or b.dtype.kind not in "biuf":
            return WeightPair(_summary(a), _summary(b), not np.array_equal(a, b))
        if np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f"):
            self._count(name, tensor, stored, 0.0)
            return WeightPair("", "", False)
        worst, scale = _error(a, b)
        relative = worst / scale if worst is not None and scale else None
        if worst is not None and worst <= self._explained(tensor, stored, other, scale):
            self._count(name, tensor, stored, relative or 0.0)
            return WeightPair("", "", False)
        return WeightPair(_summary(a), _summary(b), True, worst, relative)

    def stored(self) -> Iterator[tuple[str, str, str, float]]:
        """For each change of type: the constants in words, both types, the greatest relative error that it made."""
        for (mine, theirs), storage in self._storage.items():
            furthest = f", furthest off: {one_line(storage.worst_name)}" if storage.worst else ""
            yield f"{storage.count} constants{furthest}", mine, theirs, storage.worst

    def _explained(self, tensor: onnx.TensorProto, stored: onnx.TensorProto, other: str, scale: float) -> float:
        """The greatest error that the candidate's type explains: half a step of a float, a whole step of an integer."""
        if tensor.data_type == stored.data_type:
            return scale * self._rounding
        allowed = scale * max(ROUNDING.get(type_name(one.data_type), 0.0) for one in (tensor, stored))
        graph = self._candidate
        while other in graph.producer:
            node = graph.nodes[graph.producer[other]]
            if node.op_type == "DequantizeLinear" and node.input[1] in graph.constants:
                allowed += float(abs(self._array(graph, graph.constants[node.input[1]])).max(initial=0.0))
            other = node.input[0]
        return allowed * (1 + 1e-6)

    def _values(self, name: str) -> np.ndarray | None:
        """A constant of the candidate, or what its Cast and DequantizeLinear nodes make of one."""
        if name in self._candidate.constants:
            return self._array(self._candidate, self._candidate.constants[name])
        lane = Lane({})
        walk = Walk(self._candidate, [lane], [name], 1)
        for index in walk.needed([name]):
            walk.run(index)
        value = lane.results.get(name)
        return None if value is None else to_array(value)

    def _array(self, graph: Graph, tensor: onnx.TensorProto) -> np.ndarray:
        """A constant's values; types that numpy lacks become float32."""
        import numpy as np
        import onnx

        try:
            array: np.ndarray = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # the size or type that is declared is not that of the data
            raise BadInput(f"{graph.label}: constant {one_line(tensor.name)!r} is broken: {one_line(error)}") from None
        return array.astype(np.float32) if array.dtype.kind == "V" else array

    def _count(self, name: str, tensor: onnx.TensorProto, stored: onnx.TensorProto, relative: float) -> None:
        if tensor.data_type == stored.data_type:
            return
        storage = self._storage.setdefault((type_name(tensor.data_type), type_name(stored.data_type)), _Storage())
        storage.count += 1
        if relative > storage.worst:
            storage.worst, storage.worst_name = relative, name


def _error(a: np.ndarray, b: np.ndarray) -> tuple[float | None, float]:
    """max|a - b|, None where a value is not finite, and max|a|."""
    import numpy as np

    a, b = a.astype(np.float64), b.astype(np.float64)
    scale = float(np.abs(a).max(initial=0.0))
    finite = np.isfinite(a).all() and np.isfinite(b).all()
    return (float(np.abs(a - b).max(initial=0.0)) if finite else None), scale


def _summary(array: np.ndarray) -> str:
    """Type, shape and values, or their range."""
    import numpy as np

    shape = "×".join(map(str, array.shape)) or "scalar"
    text = f"{array.dtype} {shape}"
    if array.size == 0 or array.dtype.kind not in "biuf":
        return text
    if array.size <= FEW:
        return f"{text}: {', '.join(_number(value) for value in array.reshape(-1))}"
    if not array.any():
        return f"{text}: all zero"
    finite = array[np.isfinite(array)]
    odd, zeros = array.size - finite.size, int((array == 0).sum())
    tail = f", {odd} of {array.size} NaN or infinite" if odd else ""
    tail += f", {zeros} of {array.size} zero" if zeros else ""
    if not finite.size:
        return f"{text}{tail}"
    return f"{text}: {_number(np.min(finite))} to {_number(np.max(finite))}{tail}"


def _number(value: object) -> str:
    return one_line(f"{value:.6g}")
