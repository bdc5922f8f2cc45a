"""`--precision auto`: what was tried, and why one of them was chosen."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.message import Text
from porter.records.tuning import Setting


class Outcome(enum.StrEnum):
    """What became of a candidate."""

    CHOSEN = "chosen"
    """The fastest that is right."""
    SLOWER = "slower"
    """Right, and slower than the one chosen."""
    BROKEN = "broken"
    """It fails parity: a fault, not a loss of precision."""
    INACCURATE = "inaccurate"
    """It loses more than the gate allows."""
    DOUBTFUL = "doubtful"
    """Its result cannot be told from guessing, or is not finite."""
    UNMEASURED = "unmeasured"
    """It was not scored or not timed."""
    UNTRIED = "untried"
    """It could not be built; `reason` says why."""


@dataclass(frozen=True, kw_only=True)
class Untried:
    """What `auto` could not build."""

    runtime: str
    """Name of the runtime."""
    precision: str
    """The precision."""
    reason: str
    """Why not, in one line."""


@dataclass(frozen=True, kw_only=True)
class FinalTiming:
    """A finalist's speed, measured in turns with the others in one process, so that all had the same machine."""

    rounds: int
    """Turns that it had."""
    calls: int
    """Timed calls over all turns."""
    images_per_second: float
    """Median over the turns."""
    lowest: float
    """Images per second of the slowest turn."""
    highest: float
    """Images per second of the fastest turn."""
    median_ms: float
    """Median latency of a call, in milliseconds."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One runtime at one precision."""

    artefact: str
    """The artefact's id; empty where there is none."""
    runtime: str
    """Name of the runtime."""
    precision: str
    """Its precision."""
    outcome: Outcome
    """What became of it."""
    reason: Text = ""
    """What speaks against it, in words; empty where nothing does."""
    metric: str = ""
    """Name of the gate metric."""
    value: float | None = None
    """The gate metric over all images; None: not measured."""
    drop: float | None = None
    """Loss against the reference on the same images."""
    setting: Setting | None = None
    """Its fastest setting, in the turns of the finalists or else by `bench`; None: not measured."""
    images_per_second: float | None = None
    """The most that `bench` measured, at whatever setting."""
    latency_ms: float | None = None
    """Median latency of a call there, in milliseconds."""
    final: FinalTiming | None = None
    """The finalists' timing; None for the others."""
    ratio: float | None = None
    """Images per second over those of the baseline, of `final` where both have one; None: not measured."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The fastest artefact that is right."""

    objective: str = "images per second"
    """What the choice maximises."""
    baseline: str
    """Id of the artefact that ratios are to: ONNX Runtime at float32; empty where it was not asked for."""
    allowed: float
    """The largest drop that passes."""
    candidates: tuple[Candidate, ...]
    """Everything that was tried, in the order in which it was built."""
    chosen: str
    """Id of the artefact that was chosen; empty: none is right."""
    reason: Text
    """Why, in words."""
    measured: str
    """Local time with offset, ISO 8601, when the finalists were timed."""

    @property
    def winner(self) -> Candidate | None:
        """The candidate that was chosen."""
        return next((one for one in self.candidates if one.outcome is Outcome.CHOSEN), None)
