"""How far an artefact's outputs lie from the reference's on the same tensors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """An output passes when max|a - b| <= atol + rtol * max|reference|."""

    atol: float = 1e-5
    rtol: float = 1e-4


@dataclass(frozen=True, kw_only=True)
class OutputParity:
    """One output at one batch size."""

    output: str
    batch: int
    rows: int
    """Rows that the artefact returned; must be `batch`."""
    shape_matches: bool
    finite: bool
    max_abs_error: float | None
    """None where shapes differ or values are not finite."""
    mean_abs_error: float | None
    relative_error: float | None
    """max|a - b| / max|reference|."""
    cosine: float | None
    """The least over the rows."""
    allowed: float | None
    """The bound on max_abs_error that the tolerance gives here."""
    passed: bool
    problem: str = ""
    """What went wrong, where there is no error to measure."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Reference against one artefact, on real preprocessed images."""

    reference: str
    candidate: str
    images: int
    tolerance: Tolerance
    outputs: tuple[OutputParity, ...]
    answers_compared: int
    answers_changed: int
    """Items on which the task's answer (e.g. the top-1 class) differs."""
    answer_name: str
    passed: bool


@dataclass(frozen=True, kw_only=True)
class PreprocessParity:
    """The model's preprocessing against the reference pipeline that its spec declares, on real images."""

    images: int
    max_abs_error: float | None
    """None where the shapes differ."""
    allowed: float
    identical: bool
    """Bit for bit."""
    passed: bool
