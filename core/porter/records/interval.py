"""A confidence interval."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the true value of a metric lies, with a given confidence."""

    low: float
    """Lower bound, in the unit of its metric."""
    high: float
    """Upper bound, in the unit of its metric."""
    confidence_percent: float
    """Share of such intervals that hold the true value."""
    method: Text
    """Name of the method and its source."""
