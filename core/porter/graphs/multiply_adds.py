"""How many multiply-adds one image takes, from the shapes of an ONNX graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porter.graphs.onnxfile import all_nodes

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]
KEPT = 1024
"""Values up to which a constant may be the shape of something, and stays in the model whose shapes are inferred."""


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of all convolutions and matrix products for one image. A layer whose shapes ONNX cannot infer is
    left out, so that the true number may be larger, never smaller."""
    shapes = _shapes(model)
    return sum(_of_node(node, shapes) for node in all_nodes(model.graph))


def _of_node(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    known = [shapes.get(name) for name in (*node.input[:2], *node.output[:1])]
    if len(known) < 3 or None in known:
        return 0
    first, second, result = (shape or () for shape in known)
    if node.op_type == "Conv":
        return math.prod(result) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if node.op_type == "MatMul" and first:
        return math.prod(result) * first[-1]
    if node.op_type == "Gemm" and len(first) == 2:
        across = any(one.name == "transA" and one.i for one in node.attribute)
        return math.prod(result) * first[0 if across else 1]
    return 0


def _shapes(model: onnx.ModelProto) -> dict[str, Shape]:
    """Shapes that are known for one image, by tensor."""
    import onnx

    small = onnx.ModelProto()
    small.CopyFrom(_without_weights(model))
    for value in small.graph.input:
        dims = value.type.tensor_type.shape.dim
        if (len(dims) and not dims[0].HasField("dim_value")) or (len(dims) and value.name == model.graph.input[0].name):
            dims[0].dim_value = 1
    del small.graph.value_info[:]
    for value in small.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        small = onnx.shape_inference.infer_shapes(small)
    except Exception:  # an operator that ONNX does not know, or shapes that contradict each other for one image
        return {}
    found = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*small.graph.input, *small.graph.value_info, *small.graph.output):
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            found.setdefault(value.name, tuple(dim.dim_value for dim in dims))
    return found


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with its large constants as inputs, so that nothing large is copied while shapes are inferred."""
    import onnx

    found = onnx.ModelProto(ir_version=model.ir_version)
    found.opset_import.extend(model.opset_import)
    found.functions.extend(model.functions)
    given = {value.name for value in model.graph.input}
    graph = found.graph
    graph.name = model.graph.name
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= KEPT:
            graph.initializer.append(tensor)
        elif tensor.name not in given:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)))
    return found
