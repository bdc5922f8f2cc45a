"""An ONNX file read back: what it really contains, and what makes it unfit to deliver."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.errors import BadInput, one_line
from porter.files.limits import COUNTS, limit_of, over_count
from porter.files.native_names import require_native_name
from porter.files.received import read_received
from porter.graphs.not_onnx import what_it_is
from porter.records.exported import OnnxFacts
from porter.records.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    import onnx

EXPANDED = "nodes of an ONNX graph, functions expanded"
_FUNCTIONS = 500
"""Functions that may call each other in turn; Python's stack holds no more."""
SIZE_LIMIT = limit_of("ONNX file") + 1
"""Protobuf's limit for one file; a larger model would need external data."""


def read_onnx(path: Path) -> onnx.ModelProto:
    """Parse a self-contained ONNX file. Raises `BadInput` where it is absent, broken or not self-contained."""
    import onnx

    shown = one_line(path)
    data = read_received(path, "ONNX file")
    require_native_name(path, shown)
    if not data:
        raise BadInput(f"{shown}: empty, not an ONNX file")
    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's own exception type differs between its implementations
        raise BadInput(f"{shown}: {what_it_is(data)}") from None
    if not model.graph.node or not model.opset_import:
        raise BadInput(f"{shown}: not an ONNX model: it {what_it_is(data)}")
    check_contents(model, shown)
    return model


def onnx_within(path: Path) -> onnx.ModelProto | None:
    """The model of a self-contained ONNX file, whatever its name: what a runtime calls its own format often is one.
    None where it is none."""
    try:
        return read_onnx(path)
    except BadInput:
        return None


def check_contents(model: onnx.ModelProto, shown: str) -> None:
    """Raise `BadInput`, naming the file as it is `shown`, for weights outside of it, values of a type that there is
    not, and functions that call each other without end or expand beyond the limit."""
    import onnx

    outside, types = [], frozenset(onnx.TensorProto.DataType.values())
    for tensor in all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            outside.append(tensor.name)
        if tensor.data_type not in types:
            raise BadInput(
                f"{shown}: tensor {one_line(tensor.name)!r} is of data type {tensor.data_type}, which is none"
            )
    if expanded_nodes(model) > COUNTS[EXPANDED]:
        raise BadInput(f"{shown}: its functions are nested too deeply; {over_count(EXPANDED)}")
    if outside:
        raise BadInput(
            f"{shown}: {len(outside)} weights are outside the file (first: {one_line(outside[0])}). "
            "Save it as one self-contained file (torch.onnx.export: external_data=False)"
        )


def facts_of(model: onnx.ModelProto, size_bytes: int) -> OnnxFacts:
    """What the model contains."""
    import onnx

    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    domains = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    nodes = list(all_nodes(graph))
    return OnnxFacts(
        opset=domains.pop("ai.onnx", 0),
        domains=domains,
        ir_version=model.ir_version,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=tuple(_tensor(value) for value in graph.input if value.name not in weights),
        outputs=tuple(_tensor(value) for value in declared_outputs(model) if value.type.HasField("tensor_type")),
        nodes=len(nodes),
        operators=dict(sorted(Counter(node.op_type for node in nodes).items())),
        resizes=tuple(
            f"{count} × {text}"
            for text, count in sorted(Counter(_attributes(n) for n in nodes if n.op_type in RESIZES).items())
        ),
        parameters=sum(
            math.prod(tensor.dims) for tensor in graph.initializer if tensor.data_type in _float_types(onnx.TensorProto)
        ),
        size_bytes=size_bytes,
    )


UNSORTED = (
    ". Some float16 converters cause this. Sort the graph with "
    "`onnxruntime.transformers.onnx_model.OnnxModel(model).topological_sort()` and save it again"
)
RESIZES = ("Resize", "Upsample")


def all_graphs(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """The graph, then every subgraph (If, Loop) in it."""
    yield graph
    for node in (*graph.node, graph):
        for attribute in node.attribute if node is not graph else getattr(graph, "attribute_proto", ()):
            for inner in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from all_graphs(inner)


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of subgraphs included."""
    for inner in all_graphs(graph):
        yield from inner.node


def all_tensors(message: Any) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model, wherever its format lets one stand: initializers, attributes and their defaults in
    functions, the parts of sparse ones, subgraphs, graphs for training."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if isinstance(value, Iterable) else (value,):
                yield from all_tensors(inner)


def expanded_nodes(model: onnx.ModelProto) -> float:
    """Nodes of the graph once every function is put in the place of its calls; infinite where one calls itself."""
    functions = {(one.domain, one.name, one.overload): one for one in model.functions}
    sizes: dict[tuple[str, str, str], float] = {}

    def size(body: onnx.GraphProto | onnx.FunctionProto, depth: int) -> float:
        total = 0.0
        for node in (node for graph in all_graphs(body) for node in graph.node):
            key = (node.domain, node.op_type, node.overload)
            if key in functions and key not in sizes:
                sizes[key] = math.inf  # what it is as long as it is being counted: a call of itself has no end
                sizes[key] = size(functions[key], depth + 1) if depth < len(functions) <= _FUNCTIONS else math.inf
            total += sizes.get(key, 1)
        return total

    return size(model.graph, 0)


def training_nodes(model: onnx.ModelProto) -> list[str]:
    """Nodes that behave as in training: BatchNormalization with statistics outputs, any live Dropout."""
    found = []
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in all_nodes(model.graph):
        if node.op_type == "BatchNormalization" and (
            len([name for name in node.output if name]) > 1
            or any(a.name == "training_mode" and a.i for a in node.attribute)
        ):
            found.append(f"BatchNormalization {one_line(node.name)!r}")
        if node.op_type == "Dropout" and _dropout_lives(node, constants, model):
            found.append(f"Dropout {one_line(node.name)!r}")
    return found


def export_problems(facts: OnnxFacts, model: onnx.ModelProto, spec: ModelSpec, opset: int, dynamic: bool) -> list[str]:
    """Every way in which an exported file differs from what was asked for; empty where it is right."""
    problems = []
    if facts.opset != opset:
        problems.append(f"opset is {facts.opset}, requested is {opset}")
    if facts.size_bytes >= SIZE_LIMIT:
        problems.append(f"{facts.size_bytes} bytes, the limit for one file is {SIZE_LIMIT}")
    problems += _tensor_problems("input", facts.inputs, spec.inputs, dynamic)
    # The first output of a spec is the one that is scored; every runtime returns outputs by name, in whatever order.
    outputs = {tensor.name: tensor for tensor in facts.outputs}
    ordered = [outputs.pop(tensor.name) for tensor in spec.outputs if tensor.name in outputs]
    problems += _tensor_problems("output", (*ordered, *outputs.values()), spec.outputs, dynamic)
    problems += [f"{node} is in training mode" for node in training_nodes(model)]
    return problems


def check_onnx(path: Path, label: object = None) -> None:
    """`onnx.checker` with shape inference. Raises `BadInput` with its first line; `label` names a file that stands
    elsewhere than where it was given."""
    import onnx

    try:
        onnx.checker.check_model(path.read_bytes(), full_check=True)  # by path it reads no name beyond the locale
    except Exception as error:  # the checker's own and protobuf's exceptions share no base
        unsorted = "topologically sorted" in str(error)
        raise BadInput(
            f"{one_line(label or path)}: rejected by onnx.checker: "
            f"{one_line(error)[:300]}{UNSORTED if unsorted else ''}"
        ) from None


def declared_outputs(model: onnx.ModelProto) -> Sequence[onnx.ValueInfoProto]:
    """The outputs of the graph, with the types and shapes that the file leaves to be inferred."""
    import onnx

    def is_declared(value: onnx.ValueInfoProto) -> bool:
        kind, tensor = value.type.WhichOneof("value"), value.type.tensor_type
        return bool(tensor.HasField("shape") and tensor.elem_type) if kind == "tensor_type" else kind is not None

    own: Sequence[onnx.ValueInfoProto] = model.graph.output
    if all(map(is_declared, own)):
        return own
    try:
        inferred: Sequence[onnx.ValueInfoProto] = onnx.shape_inference.infer_shapes(model).graph.output
    except Exception:  # as above
        return own
    return [value if is_declared(value) else found for value, found in zip(own, inferred, strict=True)]


def _tensor_problems(
    kind: str, found: tuple[TensorSpec, ...], asked: tuple[TensorSpec, ...], dynamic: bool
) -> list[str]:
    names = [tensor.name for tensor in found], [tensor.name for tensor in asked]
    if names[0] != names[1]:
        return [f"{kind}s are {', '.join(names[0]) or 'none'}, expected {', '.join(names[1])}"]
    problems = []
    for have, want in zip(found, asked, strict=True):
        if have.dtype != want.dtype:
            problems.append(f"{kind} {have.name} is {have.dtype}, expected {want.dtype}")
        if kind == "output" and not have.shape:
            continue  # the file does not say it, nor can it be inferred
        if len(have.shape) != len(want.shape) or not all(map(_size_fits, have.shape, want.shape)):
            problems.append(f"{kind} {have.name} has shape {_shape(have)}, expected {_shape(want)}")
        elif dynamic and kind == "input" and want.shape[0] == "N" and not isinstance(have.shape[0], str):
            problems.append(f"input {have.name} is fixed to batch {have.shape[0]}")
    return problems


def _size_fits(have: int | str, want: int | str) -> bool:
    return have == want or isinstance(have, str) or isinstance(want, str)


def _shape(tensor: TensorSpec) -> str:
    return "×".join(map(str, tensor.shape))


def _tensor(value: onnx.ValueInfoProto) -> TensorSpec:
    import onnx

    kind = value.type.tensor_type
    # Some exporters write a free size as 0 or -1.
    shape = tuple(d.dim_value if d.dim_value > 0 else d.dim_param or "?" for d in kind.shape.dim)
    try:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    except (KeyError, TypeError, ValueError):
        dtype = f"type {kind.elem_type}"
    return TensorSpec(name=value.name, shape=shape, dtype=dtype)


def _attributes(node: onnx.NodeProto) -> str:
    import onnx

    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    texts = (f"{k}={v.decode(errors='replace') if isinstance(v, bytes) else v}" for k, v in sorted(values.items()))
    return f"{node.op_type} {', '.join(texts)}"


def _float_types(proto: Any) -> tuple[int, ...]:
    return (proto.FLOAT, proto.FLOAT16, proto.BFLOAT16, proto.DOUBLE)


def _dropout_lives(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], model: onnx.ModelProto) -> bool:
    import onnx

    opset = max((e.version for e in model.opset_import if not e.domain), default=0)
    if opset < 12:  # until opset 12 Dropout has no training flag: inference mode is all there is
        return False
    if len(node.input) < 3 or not node.input[2]:
        return False
    flag = constants.get(node.input[2])
    return flag is None or bool(onnx.numpy_helper.to_array(flag))
