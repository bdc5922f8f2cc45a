"""What differs between two graphs before either is run: interface, operators, attributes, weights, wiring."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from porter.errors import one_line
from porter.graphs.graph import Graph, domain_of
from porter.graphs.matching import Matching, source
from porter.graphs.modules import module_of
from porter.graphs.values import type_name
from porter.graphs.weights import StoredWeights, WeightPair
from porter.records.diagnosis import StaticDifference

if TYPE_CHECKING:
    import onnx


def static_differences(
    reference: Graph, candidate: Graph, match: Matching, *, rounding: float = 0.0
) -> list[StaticDifference]:
    """Every difference between nodes that were matched, in topological order; then how weights are stored."""
    found = list(_interface(reference, candidate))
    weights = StoredWeights(reference, candidate, rounding=rounding)
    for mine, theirs in sorted(match.nodes.items()):
        a, b = reference.nodes[mine], candidate.nodes[theirs]
        where = _Where(reference, mine)
        if (domain_of(a), a.op_type) != (domain_of(b), b.op_type):
            found.append(where.difference("operator", "operator", _operator(a), _operator(b)))
            continue
        found += _attributes(where, a, b, candidate.opsets.get(domain_of(b), 0))
        for position, (name, other) in enumerate(_inputs(a, b)):
            pair = weights.compare(name, other)
            if pair is not None and pair.differs:
                found.append(where.weight(name, pair))
            elif pair is None:
                found += _wiring(where, candidate, match, position, name, other)
    for what, mine_type, their_type, worst in weights.stored():
        row = _whole("storage", what, mine_type, their_type)
        found.append(dataclasses.replace(row, relative_error=worst))
    return found


def attribute_texts(node: onnx.NodeProto) -> dict[str, str]:
    """The attributes as they are written in the node."""
    return {one_line(attribute.name): _attribute_text(attribute) for attribute in node.attribute}


class _Where:
    """The node of the reference that a difference belongs to."""

    def __init__(self, graph: Graph, index: int) -> None:
        node = graph.nodes[index]
        self.graph = graph
        self._node, self._op, self._module = graph.title(index), one_line(node.op_type), module_of(node)

    def difference(self, kind: str, what: str, reference: str, candidate: str) -> StaticDifference:
        return StaticDifference(
            kind=kind,
            node=self._node,
            op_type=self._op,
            module=self._module,
            what=one_line(what),
            reference=reference,
            candidate=candidate,
        )

    def weight(self, name: str, pair: WeightPair) -> StaticDifference:
        return StaticDifference(
            kind="weight",
            node=self._node,
            op_type=self._op,
            module=self._module,
            what=one_line(name),
            reference=pair.reference,
            candidate=pair.candidate,
            max_abs_error=pair.max_abs_error,
            relative_error=pair.relative_error,
        )


def _interface(reference: Graph, candidate: Graph) -> Iterator[StaticDifference]:
    for domain in sorted(reference.opsets.keys() | candidate.opsets.keys()):
        versions = [str(graph.opsets.get(domain, "none")) for graph in (reference, candidate)]
        if versions[0] != versions[1]:
            yield _whole("opset", one_line(domain) or "ai.onnx", *versions)
    for kind, mine, theirs in (
        ("input", list(reference.inputs.values()), list(candidate.inputs.values())),
        ("output", list(reference.model.graph.output), list(candidate.model.graph.output)),
    ):
        if len(mine) != len(theirs):
            yield _whole(kind, "number", str(len(mine)), str(len(theirs)))
            continue
        by_name = {value.name: value for value in theirs}
        if by_name.keys() == {value.name for value in mine}:
            theirs = [by_name[value.name] for value in mine]
        for a, b in zip(mine, theirs, strict=True):
            if _interface_text(a) != _interface_text(b):
                yield _whole(kind, one_line(a.name), _interface_text(a), _interface_text(b))


def _whole(kind: str, what: str, reference: str, candidate: str) -> StaticDifference:
    """A difference of the graph as a whole."""
    return StaticDifference(
        kind=kind, node="", op_type="", module="", what=what, reference=reference, candidate=candidate
    )


def _interface_text(value: onnx.ValueInfoProto) -> str:
    """Name, type and sizes; a free size is `?`, whatever it is called."""
    kind = value.type.tensor_type
    sizes = "×".join(str(dim.dim_value) if dim.HasField("dim_value") else "?" for dim in kind.shape.dim)
    return f"{one_line(value.name)} {type_name(kind.elem_type)} {sizes}".strip()


def _attributes(where: _Where, a: onnx.NodeProto, b: onnx.NodeProto, opset: int) -> Iterator[StaticDifference]:
    """Attributes that differ, defaults filled in; one that the other's version of the operator lacks is passed over."""
    own_opset = where.graph.opsets.get(domain_of(a), 0)
    mine = _effective(a, own_opset)
    theirs = _effective(b, opset)
    for name in sorted(mine.keys() | theirs.keys()):
        if name in mine and name in theirs:
            if mine[name] != theirs[name]:
                yield where.difference("attribute", name, mine[name], theirs[name])
        elif own_opset == opset:
            yield where.difference("attribute", name, mine.get(name, "not set"), theirs.get(name, "not set"))


def _effective(node: onnx.NodeProto, opset: int) -> dict[str, str]:
    import onnx

    values: dict[str, str] = {}
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, domain_of(node))
    except onnx.defs.SchemaError:  # an operator of another domain: no defaults are known
        schema = None
    for name, attribute in schema.attributes.items() if schema else ():
        if attribute.default_value.type:
            values[name] = _attribute_text(attribute.default_value)
    return values | attribute_texts(node)


def _inputs(a: onnx.NodeProto, b: onnx.NodeProto) -> Iterator[tuple[str, str]]:
    """Inputs side by side; an absent one is empty, as ONNX writes it."""
    return itertools.zip_longest(a.input, b.input, fillvalue="")


def _wiring(
    where: _Where, candidate: Graph, match: Matching, position: int, name: str, other: str
) -> Iterator[StaticDifference]:
    """An input that comes from elsewhere. Tensors that have no counterpart say nothing."""
    what = f"input {position}"
    if not name or not other:
        if name != other:
            yield where.difference("wiring", what, one_line(name) or "none", one_line(other) or "none")
        return
    origin = source(where.graph, name)
    wanted, got = match.tensors.get(name), match.matched_source(candidate, other)
    if wanted is not None and got is not None and wanted != got and source(candidate, wanted) != source(candidate, got):
        yield where.difference("wiring", what, one_line(origin), one_line(other))


def _operator(node: onnx.NodeProto) -> str:
    return one_line(f"{node.domain}.{node.op_type}" if domain_of(node) else node.op_type)


def _attribute_text(attribute: onnx.AttributeProto) -> str:
    import onnx

    try:
        return _text(onnx.helper.get_attribute_value(attribute))
    except ValueError:  # no type is set
        return "unreadable"


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return one_line(value.decode(errors="replace"))
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int | str):
        return one_line(value)
    return _proto_text(value)


def _proto_text(value: object) -> str:
    """A tensor or graph within an attribute, by what it holds."""
    import hashlib

    data = value.SerializeToString(deterministic=True) if hasattr(value, "SerializeToString") else b""
    return f"{type(value).__name__} {hashlib.sha256(data).hexdigest()[:12]}"
