"""The hooks: the task, its default postprocessing, and a small model to try both on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter import (
    Loaded,
    LoadRequest,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    PreprocessSpec,
    Shipped,
    Source,
    StandAlone,
    Task,
    TensorSpec,
    hookimpl,
)
from porter_segmentation.prediction import Segmented
from porter_segmentation.task import NAME, Segmentation, segment
from porter_segmentation.texts import CHINESE, DESCRIPTION, NOTE, TITLE

if TYPE_CHECKING:
    import numpy as np

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
def porter_tasks() -> Sequence[Task]:
    """The task `segmentation`."""
    return (Segmentation(),)


@hookimpl(trylast=True)
def porter_postprocess(
    outputs: Mapping[str, np.ndarray], spec: ModelSpec, sources: Sequence[Source]
) -> Sequence[Segmented] | None:
    """Logits or classes to a class for every pixel of the image, for models of this task."""
    return segment(outputs, spec, sources) if spec.task == NAME else None


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
def porter_describe(request: ModelRequest) -> ModelSpec | None:
    """The sample's spec."""
    return SPEC if request.model == MODEL else None


@hookimpl
def porter_load(request: LoadRequest) -> Loaded | None:
    """The sample's network with the weights of a checkpoint, strictly."""
    from porter import find_weights, load_into, read_checkpoint
    from porter_segmentation.network import ShapesNet

    if request.spec.name != MODEL:
        return None
    assert request.checkpoint is not None  # core saw to it
    network = ShapesNet(len(CLASSES))
    weights = find_weights(read_checkpoint(request.checkpoint, trust=request.trust_checkpoint), weights=request.weights)
    return Loaded(spec=request.spec, module=network.eval(), report=load_into(network, weights))
