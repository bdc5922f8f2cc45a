"""Image classification by any architecture of timm: its network, its own preprocessing, and a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence

from porter import BadInput, Loaded, LoadRequest, ModelOffer, ModelRequest, ModelSpec, TensorSpec, hookimpl

NAME = "timm"


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """One name for every architecture; `--config` names it, or a yaml does."""
    return [ModelOffer(name=NAME, title="Image models of timm", variants=(), takes_name=True)]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The spec of an architecture: timm's own configuration of it, and what the yaml changes."""
    from porter_timm.config import config_of
    from porter_timm.library import pretrained_cfg
    from porter_timm.pipeline import pipeline_of, size_of

    if request.config is None and not request.name:
        raise BadInput(f"model {NAME!r} needs --config ARCHITECTURE, such as hrnet_w18, or a yaml with architecture:")
    config = config_of(request)
    known = pretrained_cfg(config)
    channels, height, width = size_of(config, known)
    classes = config.num_classes or int(known.get("num_classes", 1000))
    return ModelSpec(
        name=NAME,
        variant=config.architecture,
        task="classification",
        title=config.title or config.architecture,
        description=config.description or f"The architecture {config.architecture} of timm.",
        paper=str(known.get("paper_ids") or ""),
        code="https://github.com/huggingface/pytorch-image-models",
        licence=str(known.get("license") or ""),
        inputs=(TensorSpec(name="image", shape=("N", channels, height, width)),),
        outputs=(TensorSpec(name="class", shape=("N", classes)),),
        preprocess=pipeline_of(config, known),
        num_classes=classes,
        class_names=config.class_names,
        facts={"timm configuration": f"{config.architecture}.{known['tag']}"} if known.get("tag") else {},
        translations={
            "zh": {
                f"The architecture {config.architecture} of timm.": f"timm 中的网络结构 {config.architecture}。",
                "timm configuration": "timm 配置",
            }
        },
    )


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """The architecture with the checkpoint's weights, strictly."""
    from porter import find_weights, load_into, read_checkpoint
    from porter_timm.config import config_of
    from porter_timm.library import create

    assert request.checkpoint is not None  # core sees to it
    spec = request.spec
    config = config_of(ModelRequest(model=NAME, config=request.config, name=spec.variant))
    weights = find_weights(read_checkpoint(request.checkpoint, trust=request.trust_checkpoint), weights=request.weights)
    network = create(config, spec)
    report = load_into(
        network,
        weights,
        head=(str(network.pretrained_cfg.get("classifier") or "fc"),),
        head_hint="num_classes in a yaml given as --config",
    )
    return Loaded(spec=spec, module=network.eval(), report=report)
