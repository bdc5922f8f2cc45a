"""The model `shapes-detector`: a small network that finds drawn shapes, with the scenes to try it on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

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

NAME, SIDE = "shapes-detector", 128
CELLS = (SIDE // 8) ** 2
CLASSES = ("red disc", "blue disc", "red square", "blue square")
SAMPLE = Path(__file__).parent / "sample"
TITLE = "Detector of drawn shapes"
DESCRIPTION = "A network of 61,112 parameters that finds red and blue discs and squares in drawn scenes."
NOTE = "Drawn and trained by the plugin's training/train_shapes.py; see sample/ORIGIN.md."
CHINESE = {
    TITLE: "手绘图形检测器",
    DESCRIPTION: "61,112 个参数的小型网络，检测绘制场景中的红、蓝圆形和方块。",
    NOTE: "由插件的 training/train_shapes.py 绘制并训练；见 sample/ORIGIN.md。",
}
PREPROCESS = PreprocessSpec(fit="letterbox", crop=(SIDE, SIDE), pad=(114,), mean=(0.5,) * 3, std=(0.5,) * 3)
SPEC = ModelSpec(
    name=NAME,
    task="detection",
    title=TITLE,
    description=DESCRIPTION,
    licence="Apache-2.0",
    inputs=(TensorSpec(name="image", shape=("N", 3, SIDE, SIDE)),),
    outputs=(
        TensorSpec(name="boxes", shape=("N", CELLS, 4)),
        TensorSpec(name="scores", shape=("N", CELLS, len(CLASSES))),
    ),
    preprocess=PREPROCESS,
    num_classes=len(CLASSES),
    class_names=CLASSES,
    translations={"zh": CHINESE},
)


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    shipped = Shipped(
        checkpoint=SAMPLE / "checkpoint.pth", data=SAMPLE / "images", labels=SAMPLE / "instances.json", note=NOTE
    )
    return [ModelOffer(name=NAME, title=TITLE, variants=(SPEC,), shipped=shipped)]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    return replace(SPEC, name=request.model)


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The network with the checkpoint's weights, strictly."""
    from porter import find_weights, load_into, read_checkpoint
    from porter_detection.network import ShapesNetwork

    assert request.checkpoint is not None  # core saw to it
    raw = read_checkpoint(request.checkpoint, trust=request.trust_checkpoint)
    network = ShapesNetwork(len(CLASSES), SIDE)
    report = load_into(network, find_weights(raw, weights=request.weights))
    return Loaded(spec=request.spec, module=network.eval(), report=report)
