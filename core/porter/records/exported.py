"""What an ONNX file really contains, read back from the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.message import Text
from porter.records.spec import TensorSpec


@dataclass(frozen=True, kw_only=True)
class OnnxFacts:
    """What an ONNX file holds, by its own account."""

    opset: int
    """Version of the default domain."""
    domains: dict[str, int] = field(default_factory=dict)
    """Every other operator set that the file imports."""
    ir_version: int
    """Version of the ONNX intermediate representation."""
    producer: str
    """What wrote the file, as the file says."""
    inputs: tuple[TensorSpec, ...]
    """Inputs of the graph, without weights."""
    outputs: tuple[TensorSpec, ...]
    """Outputs of the graph that are tensors."""
    nodes: int
    """Number of nodes, those of subgraphs included."""
    operators: dict[str, int]
    """Number of nodes by operator type."""
    resizes: tuple[str, ...]
    """The distinct attribute sets of Resize and Upsample nodes, with their count."""
    parameters: int
    """Values in float initializers."""
    size_bytes: int
    """Size of the file."""


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """How the ONNX file was made, and what it was checked for."""

    path: str
    """Relative to the run's folder."""
    sha256: str
    """Of the file."""
    exporter: str
    """What wrote it, with its version."""
    call: str
    """The call that wrote it."""
    seconds: float
    """Time of writing, reading back and checking it."""
    facts: OnnxFacts
    """What the file holds."""
    checks: tuple[Text, ...]
    """The checks that the file passed, in words."""
