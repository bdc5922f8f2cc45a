"""The yaml of a module: what builds it, its tensors, its preprocessing and its task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, structs

from porter import BadInput, PreprocessSpec, TensorSpec, from_yaml, leads_out, read_lines, read_yaml

Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Tensor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input or output; see `porter.TensorSpec`."""

    name: str
    shape: tuple[int | str, ...]
    dtype: str = "float32"
    index_column: int | None = None
    counts: str = ""


class TorchConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole yaml."""

    module: str
    """`package.module:function`, or `file.py:function` relative to the yaml: a function or class that gives the
    `torch.nn.Module`."""
    args: dict[str, Any] = {}
    """Its arguments."""
    checkpoint: str | None = None
    """Path of the weights, relative to the yaml; `--checkpoint` goes before it."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    preprocess: PreprocessSpec | None = None
    """Left out where another plugin answers `porter_preprocess`."""
    task: str = "classification"
    num_classes: Count | None = None
    names: tuple[str, ...] | str = ()
    """Class names, or the path of a file with one a line."""
    name: str = ""
    title: str = ""
    description: str = ""
    paper: str = ""
    code: str = ""
    licence: str = ""
    facts: dict[str, str | int | float] = {}
    """Further facts for the documents; some tasks read settings from them."""


def read_config(path: Path) -> TorchConfig:
    """The yaml. Raises `BadInput` with the file and the key."""
    found = from_yaml(read_yaml(path), TorchConfig, str(path))
    names = found.names
    if isinstance(names, str):
        if leads_out(path, Path(names)):
            raise BadInput(f"{path}: names: {names} leads out of the folder of the yaml. Copy the file there")
        names = tuple(line for _, line in read_lines(path.parent / names, "class names"))
    classes = found.num_classes or len(names) or None
    return structs.replace(found, names=names, num_classes=classes)


def tensors(listed: tuple[Tensor, ...]) -> tuple[TensorSpec, ...]:
    """As core has them."""
    return tuple(TensorSpec(**structs.asdict(one)) for one in listed)
