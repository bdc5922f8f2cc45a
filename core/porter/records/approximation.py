"""What decoding JPEGs to a fraction of their size did to accuracy and speed."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.evaluation import Metric


@dataclass(frozen=True, kw_only=True)
class Approximation:
    """The reference on the same images, decoded both ways."""

    images: int
    """Items of the manifest."""
    reduced: int
    """Images that were decoded to a half, a quarter or an eighth of their size; the rest is exact."""
    exact: Metric
    """The gate metric with every image decoded exactly."""
    approximate: Metric
    """The gate metric as every figure of this run has it."""
    answers_changed: int
    """Items with another answer."""
    exact_images_per_second: float
    """Images that one thread decodes and preprocesses in a second, exactly."""
    approximate_images_per_second: float | None
    """The same with some decoded to a fraction; None: this evaluation read tensors or outputs that were there. Either
    was measured while images were inferred as well."""
