"""Speed of pure inference: a batch's latency, an image's time and throughput are three quantities."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.artefact import SessionInfo
from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Wall time of one call on one batch, in milliseconds. A quantile the sample cannot hold is None."""

    median_ms: float
    """Half of the calls took at most this."""
    mean_ms: float
    """Arithmetic mean."""
    min_ms: float
    """The fastest call."""
    max_ms: float
    """The slowest call."""
    stdev_ms: float
    """Sample standard deviation; 0 for one call."""
    p90_ms: float | None
    """From 10 calls on."""
    p99_ms: float | None
    """From 100 calls on."""
    spread_percent: float
    """Interquartile range over the median."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One artefact at one batch size."""

    artefact: str
    """The artefact's id."""
    session: SessionInfo
    """What really ran."""
    batch: int
    """Images a call."""
    input: Text
    """What was fed: real preprocessed images, or random values."""
    load_ms: float
    """Opening the session."""
    first_run_ms: float
    """The first call, which is left out of the latency."""
    warmup_runs: int
    """Calls before the timed ones, the first included."""
    calls: int
    """Timed calls."""
    latency: Latency
    """Of the timed calls."""
    ms_per_image: float
    """Median latency over the batch size."""
    images_per_second: float
    """batch × calls / wall time of the timed calls."""
    steady: bool
    """Whether the medians of the two halves of the calls, and the mean and the median of all, agree within 10%; if not,
    the figures are marked."""
