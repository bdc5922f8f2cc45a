"""The search for the threads, streams, batch and queue that run an artefact fastest here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a session is opened and fed."""

    threads: int | None
    """Threads of the session, all its streams together; None: it does not run on processors."""
    streams: int
    """Batches that it works on at once."""
    batch: int
    """Images a call."""
    queued: int = 0
    """Further calls at once: they wait in line, so that no stream waits for who calls it."""

    @property
    def callers(self) -> int:
        """Calls made at once, each from a thread of its own."""
        return self.streams + self.queued


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One setting, measured briefly."""

    setting: Setting
    """What was tried."""
    calls: int
    """Timed calls."""
    median_ms: float | None
    """Median latency of a call, the other streams at work, its wait in line included; None where it failed."""
    images_per_second: float | None
    """Over all streams; None where it failed."""
    problem: str = ""
    """Why it failed; empty where it did not."""


@dataclass(frozen=True, kw_only=True)
class Gain:
    """The best setting of the search against the plain one, which has all threads, one stream, and the same batch.

    Both were measured once more, in turns, so that what else the machine did fell on both.
    """

    best: Setting
    """The setting chosen."""
    plain: Setting
    """What it is compared with."""
    best_value: float
    """Median over the turns: images/s for throughput, ms a call for latency."""
    plain_value: float
    """The same of the plain setting."""
    gain_percent: float
    """Median over the turns of how much better the best one was; 0 where it is the plain one."""
    turns: int
    """How often both were measured."""
    least_gain_percent: float | None = None
    """The least of the turns' gains in percent; below 0 the plain one was better in that turn. None: older records."""
    most_gain_percent: float | None = None
    """The greatest of them."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What was found for one artefact."""

    artefact: str
    """The artefact's id."""
    trials: tuple[Trial, ...]
    """Every setting that was tried, in order."""
    throughput: Gain
    """For the most images/s."""
    latency: Gain
    """For the shortest call on the smallest batch."""
    seconds: float
    """Time that the search took."""
    measured: str
    """Local time with offset, ISO 8601, when it ended."""
