"""What an ONNX file really contains, read back from the file."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.spec import TensorSpec


@dataclass(frozen=True, kw_only=True)
class OnnxFacts:
    opset: int
    """Version of the default domain."""
    domains: dict[str, int] = field(default_factory=dict)
    """Every other operator set that the file imports."""
    ir_version: int
    producer: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    nodes: int
    operators: dict[str, int]
    """Number of nodes by operator type."""
    resizes: tuple[str, ...]
    """The distinct attribute sets of Resize and Upsample nodes, with their count."""
    parameters: int
    """Values in float initializers."""
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    path: str
    """Relative to the run's folder."""
    sha256: str
    exporter: str
    call: str
    seconds: float
    facts: OnnxFacts
    checks: tuple[str, ...]
    """The checks that the file passed, in words."""
