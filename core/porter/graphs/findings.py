"""What the gathered errors say: the first node that differs, the nodes that add most, the profile."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass

from porter.errors import one_line
from porter.graphs.compared import Compared
from porter.graphs.graph import Graph
from porter.graphs.matching import Matching
from porter.graphs.modules import module_of
from porter.graphs.static import attribute_texts
from porter.records.diagnosis import DepthError, NodeFinding, TensorError

WORST = 10
NODES_NAMED = 20
"""Nodes behind one tensor, the last of them."""


@dataclass(frozen=True)
class _Row:
    """One node of the reference."""

    index: int
    tensor: str
    own: TensorError
    alone: TensorError | None
    introduced: float
    """Relative error added here; infinite where it has no value."""
    rank: float
    """The measure that `worst` goes by."""

    @property
    def added(self) -> float | None:
        """`introduced`; None where it has no value."""
        return self.introduced if math.isfinite(self.introduced) else None


class Findings:
    """Reads the meters. `candidate` is None where it is no graph.

    Where no node of the candidate was run alone, the error added is the growth of error.
    """

    def __init__(self, reference: Graph, candidate: Graph | None, match: Matching, compared: Compared) -> None:
        self._reference, self._candidate, self._match = reference, candidate, match
        self._own = {name: meter.result() for name, meter in compared.own.items()}
        self._alone = {name: meter.result() for name, meter in compared.alone.items()}
        self.introduced_by = "alone" if compared.alone else "growth"
        self._rows = [row for index in range(len(reference.nodes)) if (row := self._row(index)) is not None]

    def first(self) -> NodeFinding | None:
        """The first node beyond the tolerance."""
        return next((self._finding(row) for row in self._rows if row.own.exceeds), None)

    def first_change(self) -> NodeFinding | None:
        """The first node with any difference."""
        return next((self._finding(row) for row in self._rows if _size(row.own) > 0), None)

    def worst(self) -> tuple[NodeFinding, ...]:
        """The nodes that add most error, by the ratio of noise to signal that they add, and in order where equal.

        That ratio, and not the greatest single error, is what adds up on the way through the layers. Where only the
        growth of error is known, it goes by that.
        """
        rows = sorted((row for row in self._rows if row.rank > 0), key=lambda row: (-row.rank, row.index))
        return tuple(self._finding(row) for row in rows[:WORST])

    def profile(self) -> tuple[DepthError, ...]:
        """Every compared node, in order."""
        return tuple(
            DepthError(
                depth=row.index,
                name=self._reference.title(row.index),
                op_type=one_line(self._reference.nodes[row.index].op_type),
                module=module_of(self._reference.nodes[row.index]),
                relative_error=row.own.relative_error,
                introduced_error=row.added,
                exceeds=row.own.exceeds,
            )
            for row in self._rows
        )

    def _row(self, index: int) -> _Row | None:
        names = [name for name in self._reference.written(index) if name in self._own]
        if not names:
            return None
        name = max(names, key=lambda name: (self._own[name].exceeds, _size(self._own[name])))
        own, alone = self._own[name], self._alone.get(name)
        if self.introduced_by == "growth":
            introduced = rank = self._growth(index, own)
        elif alone is None:
            introduced, rank = math.inf, 0.0
        else:
            introduced, rank = _size(alone), _noise(alone)
        return _Row(index, name, own, alone, introduced, rank)

    def _growth(self, index: int, own: TensorError) -> float:
        before = max((_size(self._own[name]) for name in self._compared_before(index)), default=0.0)
        return 0.0 if math.isinf(before) else max(0.0, _size(own) - before)

    def _compared_before(self, index: int) -> set[str]:
        """The nearest compared tensors that the node is computed from."""
        found, seen, stack = set(), set(), self._reference.variables(index)
        while stack:
            name = stack.pop()
            if name in self._own:
                found.add(name)
            elif name in self._reference.producer and name not in seen:
                seen.add(name)
                stack += self._reference.variables(self._reference.producer[name])
        return found

    def _finding(self, row: _Row) -> NodeFinding:
        node = self._reference.nodes[row.index]
        return NodeFinding(
            depth=row.index,
            name=self._reference.title(row.index),
            op_type=one_line(node.op_type),
            module=module_of(node),
            attributes=attribute_texts(node),
            tensor=one_line(row.tensor),
            nodes=behind(self._reference, row.tensor, self._match.tensors),
            candidate_tensor=one_line(self._match.tensors[row.tensor]),
            candidate_nodes=self._candidate_nodes(row.tensor),
            error=row.own,
            alone=row.alone,
            introduced_error=row.added,
        )

    def _candidate_nodes(self, tensor: str) -> tuple[str, ...]:
        if self._candidate is None:
            return ()
        return behind(self._candidate, self._match.tensors[tensor], self._match.inverse)


def behind(graph: Graph, tensor: str, compared: Container[str]) -> tuple[str, ...]:
    """The nodes between a tensor and the compared ones before it, in order."""
    found: set[int] = set()
    stack = [tensor]
    while stack:
        index = graph.producer.get(stack.pop())
        if index is not None and index not in found:
            found.add(index)
            stack += [name for name in graph.variables(index) if name not in compared]
    return tuple(graph.title(index) for index in sorted(found)[-NODES_NAMED:])


def _size(error: TensorError) -> float:
    """The relative error; infinite where there is one that cannot be measured."""
    if error.problem:
        return math.inf
    if error.relative_error is None:
        return math.inf if error.max_abs_error else 0.0
    return error.relative_error


def _noise(error: TensorError) -> float:
    """Noise to signal, sqrt(sum (a - b)² / sum a²)."""
    size = _size(error)
    if size == 0.0 or math.isinf(size):
        return size
    return 10 ** (-error.sqnr_db / 20) if error.sqnr_db is not None else size
