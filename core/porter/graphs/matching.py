"""Which tensors and nodes of two graphs are the same ones."""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from porter.errors import BadInput, one_line
from porter.graphs.graph import Graph
from porter.records.diagnosis import GraphMatch, OneSided

CARRIERS = frozenset({"Cast", "DequantizeLinear", "Dropout", "Identity", "QuantizeLinear"})
"""Operators that pass a tensor on in another form."""
SHARE, AGREEMENT = 0.5, 0.8
"""Names count where they join this share of the smaller graph's tensors, and this share of the joined tensors comes
from the same operator on both sides: two exports number their tensors alike and mean others by them."""
NAMES_LISTED = 20


@dataclass(frozen=True)
class Matching:
    """Reference to candidate."""

    method: str
    tensors: dict[str, str]
    """Node outputs."""
    nodes: dict[int, int]
    """Nodes whose operator, attributes and weights can be held against each other."""
    dequantised: frozenset[str] = frozenset()
    """The reference's tensors for which the candidate's dequantised form stands."""

    @functools.cached_property
    def inverse(self) -> dict[str, str]:
        """Candidate to reference."""
        return {other: name for name, other in self.tensors.items()}

    def matched_source(self, candidate: Graph, name: str) -> str | None:
        """The matched tensor of the candidate that `name` is, or is a carried form of; None where there is none."""
        while name not in self.inverse:
            node = candidate.nodes[candidate.producer[name]] if name in candidate.producer else None
            if node is None or node.op_type not in CARRIERS or not node.input:
                return None
            name = node.input[0]
        return name


def match_graphs(reference: Graph, candidate: Graph, names: Iterable[str] | None = None) -> Matching:
    """By name; where names do not join the graphs, by structure. Raises `BadInput` where neither does.

    `names` are those of the candidate's tensors that can be fetched; None: all.
    """
    by_name = _by_name(reference, candidate)
    smaller = min(len(reference.producer), len(candidate.producer))
    if len(by_name.tensors) < SHARE * smaller or _agreement(reference, candidate, by_name) < AGREEMENT:
        by_structure = _by_structure(reference, candidate)
        trusted = _agreement(reference, candidate, by_name) >= AGREEMENT
        if not trusted or len(by_structure.tensors) > len(by_name.tensors):
            by_name = by_structure
    fetched = candidate.producer.keys() if names is None else frozenset(names)
    tensors = {name: other for name, other in by_name.tensors.items() if other in fetched}
    if not tensors:
        raise BadInput(f"{reference.label} and {candidate.label} have no tensor in common, by name or structure")
    return dataclasses.replace(by_name, tensors=tensors, dequantised=by_name.dequantised & tensors.keys())


def match_names(reference: Graph, label: str, names: Iterable[str]) -> Matching:
    """For a candidate that is no graph. Raises `BadInput` where no name is shared."""
    offered = set(names)
    tensors = {name: name for name in reference.producer if name in offered}
    if not tensors:
        raise BadInput(f"{reference.label} and {label} have no tensor name in common")
    return Matching("name", tensors, {})


def describe(match: Matching, reference: Graph, candidate: Graph | Sequence[str]) -> GraphMatch:
    """The matching as a record; `candidate` is a graph, or the names of a candidate that is none."""
    taken = set(match.tensors.values())
    names = candidate.producer if isinstance(candidate, Graph) else candidate
    return GraphMatch(
        method=match.method,
        matched=len(match.tensors),
        dequantised=len(match.dequantised),
        only_in_reference=_one_sided(reference, [name for name in reference.producer if name not in match.tensors]),
        only_in_candidate=_one_sided(candidate, [name for name in names if name not in taken]),
    )


def source(graph: Graph, name: str) -> str:
    """The tensor that `name` is a cast, copied, quantised or dequantised form of; `name` itself where it is none."""
    while name in graph.producer:
        node = graph.nodes[graph.producer[name]]
        if node.op_type not in CARRIERS or not node.input:
            return name
        name = node.input[0]
    return name


def dequantised_form(graph: Graph, name: str) -> str | None:
    """The DequantizeLinear output that stands for a tensor which nothing but QuantizeLinear reads, or None.

    ONNX Runtime's quantiser drops a Relu that the quantisation's own limits imply and gives its name to the tensor
    before it: only the dequantised tensor then holds what later nodes read.
    """
    readers = graph.readers.get(name, [])
    if name in graph.outputs or not readers or any(graph.nodes[r].op_type != "QuantizeLinear" for r in readers):
        return None
    for reader in readers:
        for follower in graph.readers.get(graph.nodes[reader].output[0], []):
            if graph.nodes[follower].op_type == "DequantizeLinear":
                return graph.written(follower)[0]
    return None


def _by_name(reference: Graph, candidate: Graph) -> Matching:
    tensors, dequantised = {}, set()
    for name in reference.producer:
        form = dequantised_form(candidate, name) if name in candidate.producer else None
        if form is not None and form not in reference.producer:
            tensors[name] = form
            dequantised.add(name)
        elif name in candidate.producer:
            tensors[name] = name
    named = _by_node_name(reference, candidate)
    nodes = dict(named)
    taken = set(named.values())
    for name, other in tensors.items():
        mine, theirs = reference.producer[name], candidate.producer.get(source(candidate, other))
        if reference.nodes[mine].op_type in CARRIERS:
            theirs = candidate.producer[other]
        if mine not in nodes and theirs is not None and theirs not in taken:
            nodes[mine] = theirs
            taken.add(theirs)
    return Matching("name", tensors, nodes, frozenset(dequantised))


def _by_node_name(reference: Graph, candidate: Graph) -> dict[int, int]:
    mine, theirs = _unique_names(reference), _unique_names(candidate)
    return {
        index: theirs[name]
        for name, index in mine.items()
        if name in theirs and reference.nodes[index].op_type == candidate.nodes[theirs[name]].op_type
    }


def _unique_names(graph: Graph) -> dict[str, int]:
    counts = Counter(node.name for node in graph.nodes)
    return {node.name: index for index, node in enumerate(graph.nodes) if node.name and counts[node.name] == 1}


def _agreement(reference: Graph, candidate: Graph, match: Matching) -> float:
    """Share of matched tensors that come from the same operator, or one that passes on what it computed."""
    same = 0
    for name, other in match.tensors.items():
        mine = reference.nodes[reference.producer[name]].op_type
        theirs = candidate.nodes[candidate.producer[other]].op_type
        same += mine == theirs or theirs in CARRIERS
    return same / len(match.tensors) if match.tensors else 0.0


def _by_structure(reference: Graph, candidate: Graph) -> Matching:
    """Align the sequences of operators, those that only pass a tensor on left out."""
    mine, theirs = _tokens(reference), _tokens(candidate)
    tensors: dict[str, str] = {}
    nodes: dict[int, int] = {}
    dequantised = set()
    for a, b in _aligned([token for _, token in mine], [token for _, token in theirs]):
        left, right = mine[a][0], theirs[b][0]
        nodes[left] = right
        for name, other in zip(reference.nodes[left].output, candidate.nodes[right].output, strict=False):
            if name and other:
                form = None if dequantised_form(reference, name) else dequantised_form(candidate, other)
                tensors[name] = form or other
                if form is not None:
                    dequantised.add(name)
    return Matching("structure", tensors, nodes, frozenset(dequantised))


def _tokens(graph: Graph) -> list[tuple[int, tuple[object, ...]]]:
    """Every computing node by operator and the shapes of its weights."""
    found: list[tuple[int, tuple[object, ...]]] = []
    for index, node in enumerate(graph.nodes):
        if node.op_type not in CARRIERS:
            weights = (graph.constants.get(source(graph, name)) for name in node.input)
            shapes = tuple(tuple(tensor.dims) for tensor in weights if tensor is not None)
            found.append((index, (node.domain, node.op_type, len(node.output), shapes)))
    return found


def _aligned(a: list[tuple[object, ...]], b: list[tuple[object, ...]]) -> list[tuple[int, int]]:
    """Positions that correspond. Equal ends are taken first: difflib's time grows with the square of the rest."""
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    pairs = [(k, k) for k in range(head)]
    matcher = difflib.SequenceMatcher(None, a[head : len(a) - tail], b[head : len(b) - tail], autojunk=False)
    for block in matcher.get_matching_blocks():
        pairs += [(head + block.a + k, head + block.b + k) for k in range(block.size)]
    return pairs + [(len(a) - k, len(b) - k) for k in range(tail, 0, -1)]


def _one_sided(side: Graph | Sequence[str], names: list[str]) -> OneSided:
    operators: Counter[str] = Counter()
    if isinstance(side, Graph):
        operators.update(one_line(side.nodes[side.producer[name]].op_type) for name in names)
    return OneSided(
        count=len(names),
        by_operator=dict(operators.most_common()),
        names=tuple(one_line(name) for name in names[:NAMES_LISTED]),
    )
