"""Good inputs, the ground on which each entry of the corpus changes one thing: an ONNX file, a checkpoint, images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 16
COLOURS = ((250, 40, 30), (40, 240, 60), (20, 60, 250))

YAML = f"""\
model: tiny.onnx
preprocess:
  resize: 18
  mean: [0.5, 0.5, 0.5]
  std: 0.5
input: {{size: [{SIDE}, {SIDE}]}}
"""

STAGE = "{{NUM_MODULES: 1, NUM_BRANCHES: {n}, BLOCK: {block}, NUM_BLOCKS: {blocks}, NUM_CHANNELS: {widths}}}"
HRNET = (
    "MODEL:\n  NAME: cls_hrnet\n  NUM_CLASSES: 3\n  IMAGE_SIZE: [32, 32]\n  EXTRA:\n"
    "    HEAD_CHANNELS: [2, 2, 2, 2]\n    FINAL_CHANNELS: 4\n"
) + "".join(
    f"    STAGE{n}: "
    + STAGE.format(n=n, block="BOTTLENECK" if n == 1 else "BASIC", blocks=[1] * n, widths=[2 << k for k in range(n)])
    + "\n"
    for n in range(1, 5)
)


def make(folder: Path) -> Path:
    """`tiny.onnx` with `tiny.yaml`, `hrnet.yaml` with `hrnet.pth`, and `val/` with `labels.txt`; returns the folder."""
    folder.mkdir(exist_ok=True)
    onnx.save(strongest_colour(), folder / "tiny.onnx")
    (folder / "tiny.yaml").write_text(YAML)
    (folder / "hrnet.yaml").write_text(HRNET)
    torch.save({"state_dict": hrnet_state(folder / "hrnet.yaml")}, folder / "hrnet.pth")
    (folder / "val").mkdir()
    generator = np.random.default_rng(3)
    lines = []
    for number in range(9):
        noise = generator.integers(-20, 21, size=(20, 24, 3))
        pixels = np.clip(np.array(COLOURS[number % 3]) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"val/{number}.png")
        lines.append(f"{number}.png {number % 3}\n")
    (folder / "labels.txt").write_text("".join(lines))
    return folder


def strongest_colour() -> onnx.ModelProto:
    """Classes red, green and blue, scored by the mean of each channel."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Gemm", ["means", "weights", "bias"], ["class"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("class", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(np.eye(3, dtype=np.float32), "weights"),
            numpy_helper.from_array(np.zeros(3, np.float32), "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def hrnet_state(config: Path) -> dict[str, torch.Tensor]:
    """Random weights for the network of a config."""
    from porter_hrnet.config import read_config
    from porter_hrnet.network import HighResolutionNet

    torch.manual_seed(0)
    state: dict[str, torch.Tensor] = HighResolutionNet(read_config(config)).state_dict()
    return state
