"""The search for an int8 form of the model that passes the gate: what it was calibrated on, and every attempt."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from porter.records.calibration import CalibrationData
from porter.records.evaluation import Metric
from porter.records.message import Message, Text

WEIGHTS = Message("int8, symmetric, per output channel")
ACTIVATIONS = Message("uint8, asymmetric, per tensor")


class SearchEnd(enum.StrEnum):
    """Why the search stopped."""

    PASSED = "passed"
    """An attempt passed the gate."""
    BUDGET = "budget"
    """The time for the search was over."""
    EXHAUSTED = "exhausted"
    """There was nothing left to try."""


@dataclass(frozen=True, kw_only=True)
class AttemptScore:
    """What one runtime made of an attempt, on the images of the search."""

    runtime: str
    """Name of the runtime."""
    metric: Metric | None
    """The gate metric; None where the runtime could not run it."""
    drop: float | None
    """Loss against the reference on the same images, in the metric's unit; negative: better."""
    nonfinite: int = 0
    """Images whose outputs held NaN or infinity."""
    images_per_second: float | None = None
    """Images over the time of inference alone, at the evaluation's batch size, the first call included."""
    passed: bool = False
    """Whether the drop is within the gate and every output is finite."""
    problem: str = ""
    """Why there is no figure."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One int8 graph that was made and scored."""

    number: int
    """From 1, in the order in which they were made."""
    method: str
    """Calibration method: `minmax`, `percentile` or `entropy`."""
    options: dict[str, float] = field(default_factory=dict)
    """Its settings, e.g. the percentile."""
    float_nodes: tuple[str, ...] = ()
    """Nodes left in float, as the graph names them, the most sensitive first."""
    quantised_nodes: int = 0
    """Convolutions and matrix products that were quantised."""
    scores: tuple[AttemptScore, ...] = ()
    """One for each runtime that int8 was asked for."""
    seconds: float
    """Making and scoring it."""
    passed: bool = False
    """Whether it passed in every runtime."""
    problem: str = ""
    """Why it could not be made."""


@dataclass(frozen=True, kw_only=True)
class SensitiveTensor:
    """A tensor of the float graph by the error that eight bits add to it, given the float tensors before it."""

    tensor: str
    """Its name."""
    nodes: tuple[str, ...]
    """The nodes that compute it, and those that read it: with all of them in float, the tensor is."""
    noise: float
    """Noise to signal, mean over the channels, from 0 to 1: a channel in which nothing is left counts as 1."""


@dataclass(frozen=True, kw_only=True)
class Quantization:
    """How the int8 graph was made, and what else was tried."""

    path: str
    """The int8 graph, relative to the run's folder: ONNX with QuantizeLinear and DequantizeLinear."""
    sha256: str
    """Of the file."""
    size_bytes: int
    """Of the file."""
    opset: int
    """Opset of the graph; per-channel scales need 13."""
    float_source: str
    """`exported`: the delivered ONNX file was quantised; `beside it`: the model was exported a second time for this."""
    tool: str
    """What quantised it, with its version."""
    weights: Text = WEIGHTS
    """How weights are represented."""
    activations: Text = ACTIVATIONS
    """How activations are represented."""
    reduced_range: bool = False
    """Whether weights take seven bits, since this processor's int8 products could overflow."""
    calibration: CalibrationData
    """What the ranges were measured on."""
    images: int
    """Images that the attempts were scored on: all that the run scores, or so many of them, evenly spaced."""
    listed: int
    """Images that the run scores; the verdict on accuracy is always on all of them."""
    metric: str
    """Name of the gate metric."""
    reference: Metric
    """The reference's gate metric on the images of the search."""
    allowed: float
    """The largest drop that passes."""
    attempts: tuple[Attempt, ...]
    """In the order in which they were made."""
    resumed: int = 0
    """Attempts that an earlier command had made, which was interrupted."""
    chosen: int
    """Number of the attempt that was kept: the first that passed, or the one that lost least."""
    passed: bool
    """Whether it passed."""
    end: SearchEnd
    """Why the search stopped."""
    sensitivity: tuple[SensitiveTensor, ...] = ()
    """The tensors that lose most, worst first; empty where the search did not need them."""
    budget_seconds: float
    """`--search-seconds`."""
    seconds: float
    """What the search took, the attempts of an earlier command included."""

    @property
    def kept(self) -> Attempt:
        """The attempt that was kept."""
        return self.attempts[self.chosen - 1]
