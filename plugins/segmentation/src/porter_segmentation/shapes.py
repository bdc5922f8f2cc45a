"""The sample's model. A plugin of its own: hooks of one that offers a model are asked for no other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from porter import (
    Loaded,
    LoadRequest,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    PreprocessSpec,
    Shipped,
    StandAlone,
    TensorSpec,
    hookimpl,
)
from porter_segmentation.task import NAME
from porter_segmentation.texts import CHINESE, DESCRIPTION, NOTE, TITLE

HERE = Path(__file__).parent
SAMPLE = HERE / "sample"
MODEL = "shapes-segmentation"
CLASSES = ("background", "disc", "square", "triangle", "ring")
SIZE, STRIDE = 128, 4
SPEC = ModelSpec(
    name=MODEL,
    task=NAME,
    title=TITLE,
    description=DESCRIPTION,
    inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(TensorSpec(name="logits", shape=("N", len(CLASSES), SIZE // STRIDE, SIZE // STRIDE)),),
    preprocess=PreprocessSpec(fit="letterbox", crop=(SIZE, SIZE), pad=(124, 116, 104), interpolation="bilinear"),
    num_classes=len(CLASSES),
    class_names=CLASSES,
    translations={"zh": CHINESE},
)


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """The sample's model."""
    return [
        ModelOffer(
            name=MODEL,
            title=TITLE,
            variants=(SPEC,),
            shipped=Shipped(
                checkpoint=SAMPLE / "checkpoint.pth", data=SAMPLE / "images", labels=SAMPLE / "masks", note=NOTE
            ),
            standalone=StandAlone(files=(HERE / "network.py",), requirements=()),
        )
    ]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The sample's spec."""
    return SPEC


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The sample's network with the weights of a checkpoint, strictly."""
    from porter import find_weights, load_into, read_checkpoint
    from porter_segmentation.network import ShapesNet

    assert request.checkpoint is not None  # core saw to it
    network = ShapesNet(len(CLASSES))
    weights = find_weights(read_checkpoint(request.checkpoint, trust=request.trust_checkpoint), weights=request.weights)
    return Loaded(spec=request.spec, module=network.eval(), report=load_into(network, weights))
