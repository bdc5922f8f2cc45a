"""The model `dots-pose`: five coloured dots of drawn figures, found by a network without training, to try porter on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from porter import (
    Loaded,
    LoadRequest,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    PreprocessSpec,
    Shipped,
    TensorSpec,
    hookimpl,
)

NAME = "dots-pose"
JOINTS = ("head", "left hand", "right hand", "left foot", "right foot")
HEIGHT, WIDTH = 128, 96
SAMPLE = Path(__file__).parent / "sample"
DESCRIPTION = "Finds the five coloured joints of drawn figures, top-down, by fixed weights."
NOTE = "figures drawn by porter; weights set by hand. Origin and licence are in the plugin's sample/ORIGIN.md."
SPEC = ModelSpec(
    name=NAME,
    task="pose",
    title="Coloured joints",
    description=DESCRIPTION,
    licence="Apache-2.0",
    inputs=(TensorSpec(name="image", shape=("N", 3, HEIGHT, WIDTH)),),
    outputs=(TensorSpec(name="heatmaps", shape=("N", len(JOINTS), HEIGHT // 4, WIDTH // 4)),),
    preprocess=PreprocessSpec(fit="box", crop=(HEIGHT, WIDTH), interpolation="opencv_linear"),
    class_names=JOINTS,
    facts={"flip pairs": "1-2 3-4"},
    translations={
        "zh": {
            "Coloured joints": "彩色关节点",
            DESCRIPTION: "用固定权重以自顶向下的方式定位所绘人物的五个彩色关节点。",
            NOTE: "人物由 porter 绘制，权重为手工设定。来源与许可见插件的 sample/ORIGIN.md。",
            "flip pairs": "翻转对应关节",
        }
    },
)


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    return [
        ModelOffer(
            name=NAME,
            title="Top-down pose of drawn figures, to try porter on",
            variants=(SPEC,),
            shipped=Shipped(
                checkpoint=SAMPLE / "checkpoint.pth",
                data=SAMPLE / "images",
                labels=SAMPLE / "person_keypoints.json",
                note=NOTE,
            ),
        )
    ]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    return SPEC


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    from porter import find_weights, load_into, read_checkpoint

    assert request.checkpoint is not None  # core sees to it
    weights = find_weights(read_checkpoint(request.checkpoint, trust=request.trust_checkpoint), weights=request.weights)
    network = new_network()
    report = load_into(network, weights)
    return Loaded(spec=request.spec, module=network.eval(), report=report)


def new_network() -> Any:
    """How near each place is to the colour of a joint, smoothed, a quarter as large as the image."""
    import torch

    joints = len(JOINTS)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, joints, 1),
        torch.nn.ReLU(),
        torch.nn.Conv2d(joints, joints, 7, stride=4, padding=3, groups=joints),
        torch.nn.Conv2d(joints, joints, 5, padding=2, groups=joints, bias=False),
    )
