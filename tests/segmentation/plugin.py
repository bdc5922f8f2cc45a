"""The hooks: a model that paints colours into classes, and its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from porter import hookimpl
from porter.contracts.requests import Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.task import Task
from porter.errors import BadInput
from porter.records.spec import ModelSpec, PreprocessSpec, Published, PublishedMetric, TensorSpec
from segmentation.task import NAME, SemanticSegmentation, num_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("background", "square", "disc", "bar")
SIZE = 32
SPEC = ModelSpec(
    name="shapes",
    task=NAME,
    title="Painted shapes",
    inputs=(TensorSpec(name="image", shape=("N", 3, SIZE, SIZE)),),
    outputs=(TensorSpec(name="scores", shape=("N", len(CLASSES), SIZE, SIZE)),),
    preprocess=PreprocessSpec(resize=36, crop=(SIZE, SIZE), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    num_classes=len(CLASSES),
    class_names=CLASSES,
    published=Published(
        source="this network run by PyTorch 2.13 on segmentation.shapes, seed 0",
        dataset="painted shapes",
        images=24,
        metrics=(PublishedMetric(name="mean_iou", value=83.81),),
        image_pattern=r"shapes \d{3}\.png",
    ),
)


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    return [ModelOffer(name="shapes", title="Painted shapes", variants=(SPEC,))]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    return SPEC


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    from porter.checkpoints.read import read_checkpoint
    from porter.checkpoints.strict_load import load_into
    from porter.checkpoints.unwrap import find_weights
    from segmentation.network import new_network

    assert request.checkpoint is not None  # core sees to it
    network = new_network(len(CLASSES))
    report = load_into(network, find_weights(read_checkpoint(request.checkpoint), weights=request.weights))
    return Loaded(spec=request.spec, module=network, report=report)


@hookimpl
def porter_tasks() -> Sequence[Task]:
    return [SemanticSegmentation()]


@hookimpl(trylast=True)
def porter_postprocess(outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[NDArray[np.uint8]] | None:
    """The first output (N×C×H×W) to N masks (uint8 H×W): the class with the highest score, the lower one of equals."""
    if spec.task != NAME:
        return None
    scores = outputs[spec.outputs[0].name]
    if scores.ndim != 4 or scores.shape[1] != num_classes(spec):
        raise BadInput(f"output {spec.outputs[0].name!r} has shape {scores.shape}, not N×{num_classes(spec)}×H×W")
    return list(scores.argmax(axis=1).astype(np.uint8))
