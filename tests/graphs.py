"""Small graphs to diagnose: one that torch exports, ways to spoil a copy of it, and graphs written by hand."""

from __future__ import annotations

import functools
import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from porter.graphs.nodes import diagnose_graphs
from porter.graphs.onnx_probe import OnnxProbe
from porter.records.diagnosis import GraphDiagnosis

SIZE = 16
FLOAT, UINT8, BOOL = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.BOOL
BFLOAT16 = TensorProto.BFLOAT16


@functools.cache
def exported() -> bytes:
    """Opset 13: two blocks (Conv, Relu, Conv, Add), Resize nearest ×2, Conv, pooling, Reshape, Gemm."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
            self.relu = nn.ReLU()
            self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

        def forward(self, x: Any) -> Any:
            return self.conv2(self.relu(self.conv1(x))) + x

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.stage = nn.Sequential(Block(8), Block(8))
            self.up = nn.Upsample(scale_factor=2, mode="nearest")
            self.last = nn.Conv2d(8, 8, 3, stride=2)
            self.fc = nn.Linear(8, 5)

        def forward(self, x: Any) -> Any:
            x = self.last(self.up(self.stage(self.stem(x))))
            return self.fc(x.mean((2, 3)).reshape(-1, 8))

    torch.manual_seed(0)
    data = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Network().eval(),
            (torch.zeros(2, 3, SIZE, SIZE),),
            data,
            dynamo=False,
            opset_version=13,
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes={"image": {0: "N"}, "scores": {0: "N"}},
        )
    return data.getvalue()


def network() -> onnx.ModelProto:
    """A fresh copy of `exported`."""
    return onnx.load_model_from_string(exported())


def edited(change: Callable[[onnx.ModelProto], None]) -> onnx.ModelProto:
    """A copy with a change."""
    model = network()
    change(model)
    return model


def images(count: int = 2, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """A feed for `exported`."""
    random = np.random.default_rng(seed)
    return {"image": random.standard_normal((count, 3, SIZE, SIZE)).astype(np.float32)}


def diagnose(
    reference: onnx.ModelProto, candidate: onnx.ModelProto, feeds: Sequence[dict[str, Any]] = (), **options: Any
) -> GraphDiagnosis:
    """Two models on the same feeds; `images()` where none is given."""
    return diagnose_graphs(
        OnnxProbe(reference, "a.onnx", threads=1),
        OnnxProbe(candidate, "b.onnx", threads=1),
        feeds or [images()],
        **options,
    )


def node_of(model: onnx.ModelProto, name: str) -> onnx.NodeProto:
    return next(node for node in model.graph.node if node.name == name)


def change_weight(
    model: onnx.ModelProto, name: str, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> None:
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def rename(model: onnx.ModelProto, new: Callable[[str], str]) -> None:
    """Give every computed tensor, and every node, another name; inputs, outputs and weights keep theirs."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    names = {n: new(n) for node in model.graph.node for n in node.output if n and n not in kept}
    for node in model.graph.node:
        node.name = new(node.name)
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]


def rounded(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """To the nearest bfloat16, ties to even, by another implementation than ONNX Runtime's."""
    import torch

    nearest: NDArray[np.float32] = torch.from_numpy(array.copy()).bfloat16().float().numpy()
    return nearest


def in_bfloat16(model: onnx.ModelProto, *, cast: bool = False) -> onnx.ModelProto:
    """The weights in bfloat16, and with them all that is computed; `cast` keeps input and outputs float32."""
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT:
            values = rounded(numpy_helper.to_array(tensor))
            bits = (values.view(np.uint32) >> 16).astype(np.uint16)
            tensor.CopyFrom(helper.make_tensor(tensor.name, BFLOAT16, values.shape, bits.tobytes(), raw=True))
    if not cast:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.elem_type = BFLOAT16
        return model
    first = model.graph.node[0]
    model.graph.node.insert(0, helper.make_node("Cast", first.input[:1], ["low"], "enter", to=BFLOAT16))
    model.graph.node[1].input[0] = "low"
    last = model.graph.node[-1]
    model.graph.node.append(helper.make_node("Cast", ["low_scores"], last.output[:1], "leave", to=FLOAT))
    model.graph.node[-2].output[0] = "low_scores"
    return model


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, tuple[int, Sequence[int | str] | None]],
    outputs: Sequence[str],
    weights: dict[str, Any] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """A model by hand; `inputs` give element type and shape, `weights` arrays or `TensorProto`."""
    tensors = [
        value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        for name, value in (weights or {}).items()
    ]
    made = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        tensors,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def node(op: str, inputs: Sequence[str], outputs: Sequence[str], name: str = "", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), list(outputs), name, **attributes)


def ones(*shape: int) -> NDArray[np.float32]:
    return np.ones(shape, np.float32)
