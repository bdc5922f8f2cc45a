"""An ONNX graph made plain: constants apart, nodes in topological order, and who reads and writes each tensor."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from porter.errors import BadInput, one_line

if TYPE_CHECKING:
    import onnx


class Graph:
    """The main graph of a model. `Constant` nodes become constants, as ONNX Runtime makes them when it loads."""

    def __init__(self, model: onnx.ModelProto, label: str) -> None:
        """`label` names the graph in errors. Raises `BadInput` where a tensor is written twice, or never."""
        self.model = model
        self.label = label
        self.opsets = {domain_of(entry): entry.version for entry in model.opset_import}
        self.constants: dict[str, onnx.TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
        self._sparse = {tensor.values.name: tensor for tensor in model.graph.sparse_initializer}
        nodes = []
        for node in model.graph.node:
            constant = _constant(node)
            if constant is None:
                nodes.append(node)
            else:
                self.constants[constant.name] = constant
        fixed = self.constants.keys() | self._sparse.keys()
        self.inputs = {value.name: value for value in model.graph.input if value.name not in fixed}
        self.outputs: tuple[str, ...] = tuple(value.name for value in model.graph.output)
        self.nodes = _sorted(nodes, fixed | self.inputs.keys(), label)
        self.producer: dict[str, int] = {
            name: index for index, node in enumerate(self.nodes) for name in node.output if name
        }
        self.readers: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            for name in dict.fromkeys(reads(node)):
                self.readers.setdefault(name, []).append(index)
        self._check_outputs()

    def variables(self, index: int) -> list[str]:
        """The tensors, constants apart, that a node reads, those that its subgraphs capture included."""
        return [name for name in dict.fromkeys(reads(self.nodes[index])) if self.is_variable(name)]

    def is_variable(self, name: str) -> bool:
        """Whether the tensor is an input or is computed."""
        return name in self.producer or name in self.inputs

    def title(self, index: int) -> str:
        """The node's name, or one made of its operator and output."""
        node = self.nodes[index]
        return one_line(node.name) or f"{one_line(node.op_type)} of {one_line(self.written(index)[0])}"

    def written(self, index: int) -> list[str]:
        """The tensors that a node writes."""
        return [name for name in self.nodes[index].output if name]

    def node_model(self, index: int, types: Mapping[str, onnx.TypeProto]) -> bytes:
        """A model of one node, serialised: `types` gives its inputs, constants are inside, every output is fetched."""
        import onnx

        node = self.nodes[index]
        names = dict.fromkeys(reads(node))
        model = onnx.ModelProto(ir_version=self.model.ir_version)
        model.opset_import.extend(self.model.opset_import)
        model.functions.extend(self.model.functions)
        graph = model.graph
        graph.name = "node"
        graph.node.append(node)
        graph.input.extend(onnx.ValueInfoProto(name=name, type=types[name]) for name in names if name in types)
        graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.written(index))
        graph.initializer.extend(self.constants[name] for name in names if name in self.constants)
        graph.sparse_initializer.extend(self._sparse[name] for name in names if name in self._sparse)
        data: bytes = model.SerializeToString()
        return data

    def _check_outputs(self) -> None:
        for name in self.outputs:
            if not (self.is_variable(name) or name in self.constants):
                raise BadInput(f"{self.label}: no node computes its output {one_line(name)!r}")


def domain_of(part: onnx.NodeProto | onnx.OperatorSetIdProto) -> str:
    """The operator set's domain; ONNX's own has two names."""
    return "" if part.domain == "ai.onnx" else str(part.domain)


def reads(node: onnx.NodeProto) -> Iterator[str]:
    """The names that a node reads from the graph around it, its subgraphs' captures included, with repeats."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _captures(inner)


def _captures(graph: onnx.GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    own |= {tensor.values.name for tensor in graph.sparse_initializer}
    own |= {name for node in graph.node for name in node.output}
    yield from (name for node in graph.node for name in reads(node) if name not in own)
    yield from (value.name for value in graph.output if value.name not in own)


def _constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """The tensor of a Constant node; None of another node, and of a sparse constant, which stays a node."""
    import numpy as np
    import onnx

    if node.op_type != "Constant" or domain_of(node) or len(node.attribute) != 1:
        return None
    attribute = node.attribute[0]
    try:
        value = onnx.helper.get_attribute_value(attribute)
    except ValueError:  # an attribute without a type: the runtime will refuse the node
        return None
    if attribute.name == "value":
        tensor = onnx.TensorProto()
        tensor.CopyFrom(value)
    elif attribute.name in ("value_float", "value_floats"):
        tensor = onnx.numpy_helper.from_array(np.array(value, np.float32))
    elif attribute.name in ("value_int", "value_ints"):
        tensor = onnx.numpy_helper.from_array(np.array(value, np.int64))
    else:
        return None
    tensor.name = node.output[0]
    return tensor


def _sorted(nodes: list[onnx.NodeProto], known: set[str], label: str) -> list[onnx.NodeProto]:
    """The nodes in topological order; what is in order keeps its place."""
    producer: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in filter(None, node.output):
            if name in producer or name in known:
                raise BadInput(f"{label}: tensor {one_line(name)!r} is written twice")
            producer[name] = index
    followers: list[list[int]] = [[] for _ in nodes]
    waits = [0] * len(nodes)
    for index, node in enumerate(nodes):
        for name in set(reads(node)) - known:
            if name not in producer:
                title = one_line(node.name or node.op_type)
                raise BadInput(f"{label}: node {title!r} reads {one_line(name)!r}, which nothing computes")
            followers[producer[name]].append(index)
            waits[index] += 1
    ready = [index for index, count in enumerate(waits) if not count]
    order = []
    while ready:
        order.append(index := heapq.heappop(ready))
        for follower in followers[index]:
            waits[follower] -= 1
            if not waits[follower]:
                heapq.heappush(ready, follower)
    if len(order) < len(nodes):
        stuck = next(index for index, count in enumerate(waits) if count)
        raise BadInput(f"{label}: node {one_line(nodes[stuck].name or nodes[stuck].op_type)!r} is part of a cycle")
    return [nodes[index] for index in order]
