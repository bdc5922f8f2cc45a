"""Which outputs of an artefact were compared, how far they lay from what they should be, and what a session gets wrong.

Parity passes only where everything here does: what is scored and what is timed is compared, not a sample beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding


@dataclass(frozen=True, kw_only=True)
class WorstImage:
    """The error of one output on one image."""

    id: str
    """Its path relative to the data folder."""
    output: str
    """Name of the output."""
    error: float | None
    """max|artefact - reference|; None: shapes differ, or values are not finite."""
    allowed: float
    """The bound on it."""


@dataclass(frozen=True, kw_only=True)
class OutputErrors:
    """The errors of one output over all images."""

    output: str
    """Name of the output."""
    images: int
    """Images of which both sides have it."""
    over: int
    """Images beyond the bound, or of another shape, or not finite."""
    max_abs_error: float | None
    """The largest error; None: not one image could be compared."""
    allowed: float | None
    """The bound on the image of the largest error."""
    values: int
    """Values of it that are kept of each image."""
    whole: bool
    """Whether these are all of them; False: sums of groups with random signs and the largest value, and every error
    is the least that these allow for."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The outputs that were scored, against the reference's for the same images."""

    images: int
    """Images that were compared: all that both sides could read and answer."""
    over: int
    """Images of which at least one output is beyond its bound."""
    astray: int
    """Images whose outputs are farther from the reference's than any precision explains: of another image, constant,
    or as far off as another image's would be."""
    outputs: tuple[OutputErrors, ...]
    """Every output."""
    worst: tuple[WorstImage, ...]
    """The ten images of the largest errors in relation to their bounds, the worst first."""
    tolerance: Tolerance
    """The bounds: an output's largest value is that of the image, or the median over all images where that is more."""
    binding: bool
    """Whether an image beyond the bound fails; False: the bound is an estimate of what the precision rounds."""
    findings: tuple[SessionFinding, ...] = ()
    """What the images beyond the bound, or astray, have in common."""


@dataclass(frozen=True, kw_only=True)
class SettingCheck:
    """Rows of a session at one batch size and number of streams, in the very session that was scored or timed."""

    batch: int
    """Images a call."""
    streams: int
    """Calls at once."""
    rows: int
    """Rows that were compared with the same image alone in that session, or with the reference at batch 1."""
    over: int
    """Rows beyond the bound."""
    findings: tuple[SessionFinding, ...] = ()
    """What is wrong, by name."""
