"""What a runtime's own tool says of its speed."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text
from porter.records.performance import Copy, Latency


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Pure inference as a runtime's own tool measured it."""

    tool: str
    """Name of the tool."""
    input: Text
    """What was fed, in words."""
    latency: Latency
    """Of one call on one batch, as far as the tool says."""
    calls_ms: tuple[float, ...] = ()
    """Every single time behind it, where the tool lists them; the figures of the record are then made from these."""
    copies: tuple[Copy, ...] = ()
    """Copying to the device and back, which the latency leaves out."""
    calls: int | None
    """Timed calls."""
    warmup_runs: int | None
    """Calls before them."""
    ms_per_image: float
    """Time of one image, as the tool counts it."""
    images_per_second: float
    """Throughput, as the tool counts it."""
