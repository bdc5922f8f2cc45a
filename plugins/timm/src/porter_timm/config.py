"""What a user says of a timm model: the name of an architecture, or a yaml with that and what differs from timm's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from porter import BadInput, ModelRequest, from_yaml, leads_out, read_lines, read_yaml

Pixels = Annotated[int, Meta(ge=1, le=8192)]
Values = Annotated[tuple[Annotated[float, Meta(ge=-1e6, le=1e6)], ...], Meta(min_length=1, max_length=16)]


class TimmConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The yaml; None: as timm has it for this architecture."""

    architecture: str
    """Name in timm, `hrnet_w18` or with the tag of a configuration, `hrnet_w18.ms_aug_in1k`."""
    title: str = ""
    description: str = ""
    num_classes: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    image_size: Pixels | tuple[Pixels, Pixels] | None = None
    """Height and width of the input, or one number for both."""
    args: dict[str, Any] = {}
    """Further arguments of `timm.create_model`."""
    crop_pct: Annotated[float, Meta(gt=0, le=1)] | None = None
    crop_mode: Literal["center", "squash", "border"] | None = None
    interpolation: Literal["bilinear", "bicubic", "nearest", "lanczos"] | None = None
    mean: Values | None = None
    std: Values | None = None
    names: tuple[str, ...] | str = ()
    """Class names, or the path of a file with one a line."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Once `config_of` has read them."""
        return self.names if isinstance(self.names, tuple) else ()


def config_of(request: ModelRequest) -> TimmConfig:
    """The config that was given. Raises `BadInput` with the file and the key."""
    if request.config is None:
        return TimmConfig(architecture=request.name)
    document = read_yaml(request.config)
    found = from_yaml(document, TimmConfig, str(request.config))
    names = _names(request.config, found.names) if isinstance(found.names, str) else found.names
    if names and found.num_classes is not None and len(names) != found.num_classes:
        raise BadInput(f"{request.config}: names: {len(names)} names for num_classes {found.num_classes}")
    return structs.replace(found, names=names, num_classes=found.num_classes or len(names) or None)


def _names(config: Path, path: str) -> tuple[str, ...]:
    if leads_out(config, Path(path)):
        raise BadInput(f"{config}: names: {path} leads out of the folder of the yaml. Copy the file there")
    return tuple(line for _, line in read_lines(config.parent / path, "class names"))
