"""HRNet image classification for porter: the official yaml config and checkpoint, unchanged."""

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
from porter_hrnet.published import TABLE, published_accuracy, published_facts
from porter_hrnet.texts import DESCRIPTION, SAMPLE_NOTE, chinese, title

NAME = "hrnet"
IMAGENET_CLASSES = 1000
CROP_RATIO = 0.875
"""The short side is `int(size / 0.875)`: the authors' validation transform, `Resize(int(size / 0.875))`."""
CODE = "https://github.com/HRNet/HRNet-Image-Classification"
CODE_COMMIT = "f760c988482cdb8a1f69b10b219d669721144582"
"""Of `CODE`, 27 January 2021: its network and ours were given the same weights and inputs, in all nine variants."""
HERE = Path(__file__).parent
SAMPLE = HERE / "sample"


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """HRNet in the nine published variants, and the sample."""
    return [
        ModelOffer(
            name=NAME,
            title=title(""),
            variants=tuple(spec_for(variant, (224, 224), IMAGENET_CLASSES, ()) for variant in TABLE),
            shipped=Shipped(
                config=SAMPLE / "config.yaml",
                checkpoint=SAMPLE / "checkpoint.pth.tar",
                data=SAMPLE / "val",
                labels=SAMPLE / "val_label.txt",
                note=SAMPLE_NOTE,
            ),
            standalone=StandAlone(
                files=tuple(HERE / f"{name}.py" for name in ("build", "network", "structure")),
                requirements=("pyyaml",),
            ),
        )
    ]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The spec of an official yaml config."""
    from porter import BadInput
    from porter_hrnet.config import read_config
    from porter_hrnet.variants import variant_of

    if request.config is None:
        raise BadInput(f"model {NAME!r} needs --config YAML with --checkpoint")
    config = read_config(request.config)
    names = _class_names() if request.config.resolve() == (SAMPLE / "config.yaml").resolve() else ()
    return spec_for(variant_of(config), config.image_size, config.num_classes, names)


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The network of the config with the checkpoint's weights, strictly."""
    import torch

    from porter import find_weights, load_into, read_checkpoint
    from porter_hrnet.config import read_config
    from porter_hrnet.network import HighResolutionNet
    from porter_hrnet.variants import variant_in

    assert request.config is not None and request.checkpoint is not None  # porter_describe and core saw to it
    raw = read_checkpoint(request.checkpoint, trust=request.trust_checkpoint)
    weights = find_weights(raw, weights=request.weights)
    with torch.device("cpu"):
        network = HighResolutionNet(read_config(request.config))
    fits = variant_in({name: tuple(tensor.shape) for name, tensor in weights.entries.items() if not tensor.is_nested})
    report = load_into(
        network,
        weights,
        head=("classifier",),
        head_hint=f"MODEL.NUM_CLASSES in {request.config}",
        fits=fits if fits != request.spec.variant else "",
    )
    return Loaded(spec=request.spec, module=network.eval(), report=report)


def spec_for(variant: str, image_size: tuple[int, int], num_classes: int, class_names: tuple[str, ...]) -> ModelSpec:
    """The spec of one variant at one image size (height, width)."""
    height, width = image_size
    published = variant if variant in TABLE else ""
    return ModelSpec(
        name=NAME,
        variant=variant,
        task="classification",
        title=title(published),
        description=DESCRIPTION,
        paper="Deep High-Resolution Representation Learning for Visual Recognition, arXiv 1908.07919",
        code=CODE,
        code_commit=CODE_COMMIT,
        inputs=(TensorSpec(name="image", shape=("N", 3, height, width)),),
        outputs=(TensorSpec(name="class", shape=("N", num_classes)),),
        preprocess=PreprocessSpec(resize=int(min(height, width) / CROP_RATIO), crop=(height, width)),
        num_classes=num_classes,
        class_names=class_names,
        published=published_accuracy(variant),
        facts=published_facts(variant),
        translations={"zh": chinese(published)},
    )


def _class_names() -> tuple[str, ...]:
    return tuple((SAMPLE / "classes.txt").read_text(encoding="utf-8").split("\n")[:-1])
