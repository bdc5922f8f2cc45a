"""gate: whether a figure of accuracy is close enough to the reference's."""

from __future__ import annotations

from porter.records.evaluation import Metric

ROUNDING = 1e-9
"""A billionth of a point: the rounding of two percentages, never a lost image."""


def drop(reference: Metric, metric: Metric) -> float:
    """What the metric lost against the reference, in its own unit; negative: it is better."""
    sign = 1 if metric.higher_is_better else -1
    return sign * (reference.value - metric.value)


def passes(lost: float, allowed: float) -> bool:
    """Whether a drop is within the gate."""
    return lost <= allowed + ROUNDING
