"""How far an artefact's outputs lie from the reference's on the same tensors."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.changes import Changes
from porter.records.message import Text
from porter.records.precision_signs import PrecisionSigns
from porter.records.session_finding import SessionFinding
from porter.records.suspects import PreprocessFinding


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """An output passes when max|a - b| <= atol + rtol * max|reference|. The defaults are those for float32."""

    atol: float = 1e-5
    """Absolute part, in units of the output."""
    rtol: float = 1e-4
    """Part of the reference's largest absolute value."""


@dataclass(frozen=True, kw_only=True)
class OutputParity:
    """One output at one batch size."""

    output: str
    """Name of the output."""
    batch: int
    """Rows that were fed."""
    rows: int
    """Rows that the artefact returned; must be `batch`."""
    shape_matches: bool
    """Whether its shape is the reference's."""
    finite: bool
    """Whether every value of both sides is finite."""
    max_abs_error: float | None
    """None where shapes differ or values are not finite."""
    mean_abs_error: float | None
    """Mean of |a - b| over all values."""
    relative_error: float | None
    """max|a - b| / max|reference|."""
    cosine: float | None
    """The least over the rows."""
    allowed: float | None
    """The bound on max_abs_error that the tolerance gives here."""
    passed: bool
    """Whether max_abs_error is within `allowed`, shapes equal and values finite."""
    problem: Text = ""
    """What went wrong, where there is no error to measure."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Reference against one artefact, on real preprocessed images."""

    reference: str
    """What the artefact was compared with: runtime and precision."""
    candidate: str
    """The artefact's id."""
    images: int
    """Distinct images that were fed."""
    tolerance: Tolerance
    """The bounds that applied."""
    bounds_from: Text = ""
    """Where they come from, in words."""
    binding: bool = True
    """Whether an output outside the tolerance fails; False: it is an estimate of what the precision rounds."""
    outputs: tuple[OutputParity, ...]
    """Every output at every batch size."""
    changes: Changes
    """What the errors do to the task's answers (e.g. the top-1 class), on the images that could be compared."""
    answer_name: Text
    """What an answer is, in the task's words."""
    findings: tuple[SessionFinding, ...] = ()
    """What else its session gets wrong, by name: calls that disturb each other, buffers, errors that it hides."""
    conclusion: Text
    """Tolerance and answers put together: an answer can flip inside the tolerance, or stand outside it."""
    precision: PrecisionSigns | None = None
    """What its numbers say of the precision that it claims; None: it could not be run."""
    passed: bool
    """Whether every output is whole and, where the tolerance is binding, within it at every batch size, the session
    gets nothing else wrong, and no number contradicts the precision that is claimed."""


@dataclass(frozen=True, kw_only=True)
class PreprocessParity:
    """The model's preprocessing against the reference pipeline that its spec declares, on real images."""

    images: int
    """Images that were compared."""
    max_abs_error: float | None
    """None where shapes differ or values are not finite."""
    allowed: float
    """The bound on max_abs_error."""
    identical: bool
    """Bit for bit."""
    passed: bool
    """Whether every output is within the tolerance."""
    finding: PreprocessFinding | None = None
    """What explains the difference; None where it passed, and where nothing does."""
    source: Text = ""
    """What it was compared with, where that is not the declared pipeline; with no image: why with nothing."""
