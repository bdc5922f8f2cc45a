"""What `porter predict` prints with `--json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREDICTED_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What the model says of one sample."""

    sample: str
    """Its file as it was named."""
    entries: tuple[dict[str, Any], ...]
    """What was found, the surest first, as the task puts it: of a classifier `class`, `name` (empty: not known) and
    `score`, as the model gives it."""


@dataclass(frozen=True, kw_only=True)
class PredictionReport:
    """The answers of one artefact."""

    prediction_version: int = PREDICTED_VERSION
    """Version of this schema."""
    folder: str
    """The run's folder, as typed."""
    artefact: str
    """Id of the artefact that answered."""
    provider: str
    """Execution provider or device that it ran on, as its runtime says."""
    predictions: tuple[Predicted, ...]
    """One for each sample, in the order in which they were named."""
