"""Padding moves into convolutions where that changes nothing, and stays where it would."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from porter_efficientnet_lite.padding import fold_padding

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of the exporter's age and of its own passes


class Shared(nn.Module):
    """The padded image goes to a convolution and to the output."""

    def __init__(self) -> None:
        super().__init__()
        self.pad, self.conv = nn.ZeroPad2d(1), nn.Conv2d(3, 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        padded = self.pad(images)
        return self.conv(padded) + padded.mean()


def exported(network: nn.Module, opset: int = 11) -> onnx.ModelProto:
    file = BytesIO()
    options: dict[str, Any] = {"input_names": ["image"], "output_names": ["out"], "dynamo": False}
    torch.onnx.export(network.eval(), (torch.zeros(2, 3, 9, 8),), file, opset_version=opset, **options)
    return onnx.load_model_from_string(file.getvalue())


def run(model: onnx.ModelProto) -> np.ndarray:
    image = np.random.default_rng(1).normal(size=(2, 3, 9, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": image})[0])


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (0, 1, 0, 1), (2, 1, 0, 3)])
def test_zeros_move_into_the_convolution(opset: int, padding: tuple[int, int, int, int]) -> None:
    network = nn.Sequential(nn.ZeroPad2d(padding), nn.Conv2d(3, 4, 3, stride=2), nn.ReLU6())
    model = exported(network, opset)
    before = run(model)
    assert "Pad" in operators(model)
    assert fold_padding(model) == 1
    assert operators(model) <= {"Conv", "Clip", "Constant"}
    onnx.checker.check_model(model, full_check=True)
    np.testing.assert_allclose(run(model), before, rtol=0, atol=1e-6)
    left, right, top, bottom = padding
    pads = next(a.ints for node in model.graph.node for a in node.attribute if a.name == "pads")
    assert list(pads) == [top, left, bottom, right]


def test_they_add_to_the_convolutions_own_padding() -> None:
    model = exported(nn.Sequential(nn.ZeroPad2d((0, 1, 0, 2)), nn.Conv2d(3, 4, 3, padding=1)))
    before = run(model)
    assert fold_padding(model) == 1
    np.testing.assert_allclose(run(model), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.ReflectionPad2d(1), nn.Conv2d(3, 3, 3)),
        nn.Sequential(nn.ConstantPad2d(1, 0.5), nn.Conv2d(3, 3, 3)),
        nn.Sequential(nn.ZeroPad2d((-1, 1, 1, 1)), nn.Conv2d(3, 3, 3)),
        nn.Sequential(nn.ConstantPad3d((1, 1, 1, 1, 1, 1), 0.0), nn.Conv2d(5, 3, 3)),
        nn.Sequential(nn.ZeroPad2d(1), nn.ReLU(), nn.Conv2d(3, 3, 3)),
        Shared(),
    ],
    ids=["reflect", "not zero", "crops", "channels", "not before a convolution", "used twice"],
)
def test_other_padding_stays(network: nn.Module) -> None:
    model = exported(network)
    before = run(model)
    assert fold_padding(model) == 0
    assert "Pad" in operators(model)
    np.testing.assert_array_equal(run(model), before)
