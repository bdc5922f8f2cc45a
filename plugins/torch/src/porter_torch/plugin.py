"""Any PyTorch module, without a plugin of its own: a yaml names what builds it, its tensors and its preprocessing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from porter import BadInput, Loaded, LoadRequest, ModelOffer, ModelRequest, ModelSpec, hookimpl, one_line

NAME = "torch"


@hookimpl
def porter_models() -> Sequence[ModelOffer]:
    """One name for every module; the yaml says which."""
    return [ModelOffer(name=NAME, title="Any PyTorch module", variants=(), needs_checkpoint=False)]


@hookimpl
def porter_describe(request: ModelRequest) -> ModelSpec:
    """The spec that the yaml states."""
    from porter_torch.config import read_config, tensors

    if request.config is None:
        raise BadInput(f"model {NAME!r} needs --config YAML, with module:, inputs: and outputs:")
    config = read_config(request.config)
    weights = request.checkpoint or _beside(request.config, config.checkpoint)
    if weights is None:
        raise BadInput(f"{request.config}: checkpoint: missing. Name the file here, or use --checkpoint FILE")
    return ModelSpec(
        name=NAME,
        variant=config.name or request.config.stem,
        task=config.task,
        title=config.title or config.name or request.config.stem,
        description=config.description,
        paper=config.paper,
        code=config.code,
        licence=config.licence,
        inputs=tensors(config.inputs),
        outputs=tensors(config.outputs),
        preprocess=config.preprocess,
        num_classes=config.num_classes,
        class_names=config.names if isinstance(config.names, tuple) else (),
        checkpoint=str(weights),
        facts={name: str(value) for name, value in config.facts.items()},
    )


@hookimpl
def porter_load(request: LoadRequest) -> Loaded:
    """What the yaml's function builds, with the checkpoint's weights, strictly."""
    from porter import find_weights, load_into, read_checkpoint
    from porter_torch.building import build
    from porter_torch.config import read_config

    assert request.config is not None  # porter_describe saw to it
    config = read_config(request.config)
    raw = read_checkpoint(Path(request.spec.checkpoint), trust=request.trust_checkpoint)
    weights = find_weights(raw, weights=request.weights)
    network = build(request.config, config)
    report = load_into(network, weights, head_hint=f"args in {one_line(request.config)}")
    return Loaded(spec=request.spec, module=network.eval(), report=report)


def _beside(config: Path, path: str | None) -> Path | None:
    if path is None:
        return None
    found = config.parent / path
    if not found.exists():
        raise BadInput(f"{config}: checkpoint: {found}: no such file")
    return found
