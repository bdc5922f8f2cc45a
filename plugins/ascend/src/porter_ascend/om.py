"""The file beside an `.om` that says what it takes and gives, since the `.om` itself cannot be asked without a chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from porter import TensorSpec, read_json, write_whole

SUFFIX = ".json"
"""What is added to the name of the `.om`."""


@dataclass(frozen=True, kw_only=True)
class OmTensors:
    """What an `.om` was built from."""

    inputs: tuple[TensorSpec, ...]
    """As the ONNX file has them, the batch first."""
    outputs: tuple[TensorSpec, ...]
    """In the order in which the tools number them."""
    batch: int
    """Batch size that it is fixed to."""
    soc_version: str
    """The chip that it was built for."""


def write_tensors(om: Path, tensors: OmTensors) -> Path:
    """Write the file beside `om`; returns its path."""
    path = om.with_name(om.name + SUFFIX)
    write_whole(path, msgspec.json.format(msgspec.json.encode(tensors), indent=1) + b"\n")
    return path


def read_tensors(om: Path) -> OmTensors:
    """Read the file beside `om`. Raises `BadInput` where it is absent or not one."""
    path = om.with_name(om.name + SUFFIX)
    return read_json(path, "list of an .om's tensors", OmTensors)
