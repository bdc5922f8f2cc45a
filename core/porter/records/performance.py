"""Speed of pure inference: a batch's latency, an image's time and throughput are three quantities."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.artefact import SessionInfo
from porter.records.coverage import SettingCheck
from porter.records.mark import Mark
from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time of one call on one batch, in milliseconds. A quantile the sample cannot hold is None, and so is whatever a
    tool that measured elsewhere does not give."""

    median_ms: float | None = None
    """Half of the calls took at most this; where calls lie at two levels, a time that one of them took."""
    mean_ms: float | None = None
    """Arithmetic mean."""
    min_ms: float | None = None
    """The fastest call."""
    max_ms: float | None = None
    """The slowest call."""
    stdev_ms: float | None = None
    """Sample standard deviation; 0 for one call."""
    p90_ms: float | None = None
    """From 10 calls on."""
    p99_ms: float | None = None
    """From 100 calls on."""
    spread_percent: float | None = None
    """Interquartile range over the median."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One of two times that calls take."""

    median_ms: float
    """Of the calls at this level."""
    share_percent: float
    """Of all calls."""


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Copying one batch between host and device, which the latency leaves out."""

    direction: Text
    """Where to, in words."""
    latency: Latency
    """Of one copy."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A card of several devices. Its figures are computed, not measured."""

    devices: int
    """Devices on the card, as the user gave it."""
    images_per_second: float
    """The throughput of one device × `devices`."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """One artefact at one batch size."""

    artefact: str
    """The artefact's id."""
    session: SessionInfo
    """What really ran."""
    batch: int
    """Images a call."""
    queued: int = 0
    """Calls that waited in line while the streams worked; a call's latency includes the wait."""
    input: Text
    """What was fed: real preprocessed images, or random values."""
    load_ms: float | None
    """Opening the session; None here and below: the tool that measured does not say."""
    first_run_ms: float | None
    """The first call, which is left out of the latency."""
    warmup_runs: int | None
    """Calls before the timed ones, the first included."""
    calls: int | None
    """Timed calls."""
    latency: Latency
    """Of the timed calls."""
    ms_per_image: float
    """1000 / `images_per_second`."""
    images_per_second: float
    """batch × calls / wall time of the timed calls, as long as all streams are at work; a call that ends after that
    counts by its share. By a tool: its own figure, of one device."""
    steady: bool | None
    """Whether warm-up settled, and the medians of the two halves of the calls, and the mean and the median of all,
    agree within 10%, and the calls lie at one level; if not, the figures are marked."""
    levels: tuple[Level, ...] = ()
    """The two levels that call times lie at; empty: one."""
    processors: float | None = None
    """Processors that the timed calls kept busy on average: processor time of this process and its children over wall
    time; None: a tool measured."""
    operations_per_second: float | None = None
    """What the rate comes to: twice the multiply-adds of the exported graph × images a second; None: not known."""
    marks: tuple[Mark, ...] = ()
    """What speaks against the figure."""
    warmup_spread_percent: float | None = None
    """How far apart the last three windows of the warm-up were: their largest median over their smallest, less 100%."""
    settled: bool | None = None
    """Whether warm-up ended because three windows agreed; False: because its time was over."""
    load_average_before: float | None = None
    """Of the last minute, before the session was opened: what else the machine was doing."""
    load_average_after: float | None = None
    """Of the last minute, after the last call; the calls themselves are in it."""
    peak_memory_mib: float | None = None
    """MiB: largest resident memory of the whole process so far, this measurement included."""
    measured: str = ""
    """Local time with offset, ISO 8601, when the timed calls ended; empty: the tool does not say."""
    clock: str = ""
    """Whose times these are: empty, wall times of calls from here; else the tool that measured its own."""
    copies: tuple[Copy, ...] = ()
    """Copying to the device and back, where the tool gives it."""
    check: SettingCheck | None = None
    """What the session returned before and after the timed calls, against the same images at batch 1; None: a tool
    measured, and its outputs were not seen."""
    source: str = ""
    """The file that these figures were imported from, relative to the imported folder; empty: measured by this run."""
    tool_ms_per_image: float | None = None
    """The time of one image as the tool that measured states it; None: it states none."""
    card: Card | None = None
    """What a whole card would give; None: nobody said how many devices it has."""
