"""timm itself, as the user has it."""

from __future__ import annotations

from typing import Any

from porter import BadInput, Missing, ModelSpec, did_you_mean, one_line
from porter_timm.config import TimmConfig

ADVICE = "pip install timm torchvision"


def timm() -> Any:
    """The module. Raises `Missing` where it, or the torchvision that it needs, cannot be imported."""
    try:
        import timm as module
    except ModuleNotFoundError as error:
        raise Missing(f"model 'timm' needs {error.name}, which is not installed. Run: {ADVICE}") from None
    except (ImportError, RuntimeError) as error:
        raise Missing(_mismatch(error)) from None
    return module


def _mismatch(error: Exception) -> str:
    """That torchvision does not load beside this torch, and which pair does."""
    import importlib.metadata

    import torch

    try:
        torchvision = importlib.metadata.version("torchvision")
    except importlib.metadata.PackageNotFoundError:
        torchvision = "unknown"
    build = torch.__version__.partition("+")[2] or "that of the package index"
    return (
        f"timm cannot be imported: torchvision {torchvision} does not load beside torch {torch.__version__} "
        f"({one_line(error)}). Both must be of one build ({build}) and of one release: torch 2.X goes with torchvision "
        "0.(X+15). Install both from where torch came from"
    )


def pretrained_cfg(config: TimmConfig) -> dict[str, Any]:
    """timm's configuration of an architecture. Raises `BadInput` for one that it does not have."""
    module = timm()
    name, _, tag = config.architecture.partition(".")
    if name not in module.list_models():
        known = module.list_models()
        raise BadInput(
            f"--config {one_line(config.architecture)!r}: timm {module.__version__} has no architecture "
            f"{one_line(name)!r}{did_you_mean(name, known)}"
        )
    try:
        found = module.models.get_pretrained_cfg(config.architecture)
    except RuntimeError:
        tags = ", ".join(one.partition(".")[2] for one in module.list_pretrained(f"{name}.*")) or "none"
        raise BadInput(
            f"--config {one_line(config.architecture)!r}: {name} has no configuration {one_line(tag)!r}; it has {tags}"
        ) from None
    return {} if found is None else dict(found.to_dict())


def create(config: TimmConfig, spec: ModelSpec) -> Any:
    """The network, with the weights that it is created with. Raises `BadInput` where timm refuses the arguments."""
    import torch

    arguments = dict(config.args)
    height, width = spec.inputs[0].shape[2:]
    if config.image_size is not None:
        arguments.setdefault("img_size", (height, width))
    try:
        with torch.device("cpu"):
            return _created(config.architecture, arguments, spec)
    except (TypeError, ValueError, RuntimeError, KeyError, AssertionError) as error:
        raise BadInput(f"timm.create_model({config.architecture!r}) fails: {one_line(error)}") from None


def _created(architecture: str, arguments: dict[str, Any], spec: ModelSpec) -> Any:
    module = timm()
    common = {"pretrained": False, "num_classes": spec.num_classes, "exportable": True}
    try:
        return module.create_model(architecture, **common, **arguments)
    except TypeError:
        if "img_size" not in arguments:
            raise
        # Convolutional networks take any size and no such argument.
        rest = {name: value for name, value in arguments.items() if name != "img_size"}
        return module.create_model(architecture, **common, **rest)
