"""Give each convolution of an exported graph its own padding.

The network pads as TensorFlow's "SAME" does: at stride 2 often by one pixel more at the end than at the start, which
torch's convolution cannot express and ONNX's can. So it pads in a layer of its own, which torch exports as a Pad node
whose amounts a chain of some ten further nodes computes (`_prepare_onnx_paddings` in torch's symbolic_opset11.py).
onnxruntime folds all that; other compilers may not, or want the amounts as constants.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator


def fold_padding(model: onnx.ModelProto) -> int:
    """Move the zeros of every Pad in front of a Conv into the Conv's `pads`; returns the number of Convs changed.

    The results stay the same: a Pad is left where it pads with something else than zeros, pads batch or channels,
    crops, depends on the input, or feeds another node as well. The model must have no subgraphs (If, Loop).
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    uses = Counter([*(name for node in graph.node for name in node.input), *(output.name for output in graph.output)])
    folded = 0
    for conv in (node for node in graph.node if node.op_type == "Conv"):
        pad = producers.get(conv.input[0])
        if pad is None or pad.op_type != "Pad" or uses[pad.output[0]] > 1 or "auto_pad" in _attributes(conv):
            continue
        amounts = _spatial_zeros(model, pad)
        if amounts is None:
            continue
        own = _attributes(conv).get("pads", [0] * len(amounts))
        _set_pads(conv, [outer + inner for outer, inner in zip(amounts, own, strict=True)])
        conv.input[0] = pad.input[0]
        folded += 1
    _drop_unused(graph)
    return folded


def _spatial_zeros(model: onnx.ModelProto, pad: onnx.NodeProto) -> list[int] | None:
    """Zeros that `pad` adds, in Conv's order (all starts, then all ends); None where it does anything else."""
    attributes = _attributes(pad)
    if attributes.get("mode", b"constant") != b"constant" or len(pad.input) > 3:
        return None
    if "pads" in attributes:  # until opset 10
        amounts, value = attributes["pads"], attributes.get("value", 0.0)
    else:
        found = _constant(model, pad.input[1])
        fill = _constant(model, pad.input[2]) if len(pad.input) > 2 and pad.input[2] else 0.0
        if found is None or fill is None:
            return None
        amounts, value = found.tolist(), float(fill)
    half = len(amounts) // 2
    outside = [*amounts[:2], *amounts[half : half + 2]]  # batch and channels
    if value != 0 or any(outside) or min(amounts) < 0:
        return None
    return [*amounts[2:half], *amounts[half + 2 :]]


def _constant(model: onnx.ModelProto, name: str) -> np.ndarray | None:
    """The value `name`, computed where nothing that it is made from depends on the model's input."""
    needed, nodes = {name}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(node.input)
    if needed.intersection(value.name for value in model.graph.input):
        return None
    graph = onnx.helper.make_graph(
        nodes[::-1],
        "constant",
        inputs=[],
        outputs=[onnx.helper.make_empty_tensor_value_info(name)],
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in needed],
    )
    part = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    results: Any = ReferenceEvaluator(part).run(None, {})
    return np.asarray(results[0])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def _set_pads(conv: onnx.NodeProto, pads: list[int]) -> None:
    others = [attribute for attribute in conv.attribute if attribute.name != "pads"]
    del conv.attribute[:]
    conv.attribute.extend([*others, onnx.helper.make_attribute("pads", pads)])


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Take out the nodes and weights that no output depends on any more."""
    used, kept = {output.name for output in graph.output}, []
    for node in reversed(graph.node):
        if used.intersection(node.output):
            kept.append(node)
            used.update(node.input)
    weights = [tensor for tensor in graph.initializer if tensor.name in used]
    values = [value for value in graph.value_info if value.name in used]
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(weights)
    graph.value_info.extend(values)
