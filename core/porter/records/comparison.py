"""Two runs side by side: what `porter compare` prints with `--json`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.interval import Interval
from porter.records.paired import PairedComparison

COMPARISON_VERSION = 1


class ChangeOutcome(enum.StrEnum):
    """What a figure of the second run is against that of the first."""

    SAME = "the same"
    """Equal to the last digit."""
    WITHIN_NOISE = "within the noise"
    """They differ by no more than chance, or the noise of the measurement, would make them."""
    BETTER = "better"
    """The second is better beyond the noise."""
    WORSE = "worse"
    """The second is worse beyond the noise."""
    UNKNOWN = "cannot be told"
    """One of them is not there, or nothing says how large the noise is."""


class Presence(enum.StrEnum):
    """What became of a file from the first run to the second."""

    SAME = "the same"
    """Both have it, byte for byte the same."""
    CHANGED = "changed"
    """Both have it, with other content."""
    ONLY_FIRST = "only in the first"
    """The second has none of that name."""
    ONLY_SECOND = "only in the second"
    """The first has none of that name."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two runs."""

    folder: str
    """As typed."""
    model: str
    """Title of its model; its name where it has none."""
    task: str
    """Name of the model's task; empty where the model was not resolved."""
    finished: str
    """When its last stage ended, local time with offset, ISO 8601."""
    images: int | None
    """Images of its manifest; None: none were listed."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that the two runs have otherwise."""

    name: str
    """What it is: the role of an input, an option, a package, a property of the machine."""
    first: str | None
    """The first run's; None: it has none."""
    second: str | None
    """The second run's; None: it has none."""


@dataclass(frozen=True, kw_only=True)
class MetricChange:
    """One metric of one evaluation in both runs."""

    first_evaluation: str
    """Name of the evaluation in the first run; empty where it has none."""
    second_evaluation: str
    """Name of the evaluation in the second run; empty where it has none."""
    metric: str
    """Name of the metric."""
    title: str
    """Its title in documents."""
    unit: str
    """Unit of the figures."""
    first: float | None
    """The first run's figure; None: not measured."""
    second: float | None
    """The second run's figure; None: not measured."""
    first_interval: Interval | None = None
    """Of the first figure."""
    second_interval: Interval | None = None
    """Of the second figure."""
    difference: float | None
    """second - first; None where one of them is not there."""
    difference_interval: Interval | None = None
    """Of the difference; None where nothing says how sure it is."""
    paired: PairedComparison | None = None
    """Image by image, the first run as reference; None where they could not be paired, for `why_not_paired`."""
    hidden_loss: float | None = None
    """The largest loss that the interval leaves possible, in the metric's unit; None: nothing says how large."""
    why_not_paired: str = ""
    """Why the figures were compared by their intervals alone."""
    outcome: ChangeOutcome
    """What the second is against the first."""


@dataclass(frozen=True, kw_only=True)
class SpeedChange:
    """One artefact at one batch size in both runs."""

    first_artefact: str
    """Id of the artefact in the first run; empty where it has none."""
    second_artefact: str
    """Id of the artefact in the second run; empty where it has none."""
    batch: int
    """Images a call."""
    first_images_per_second: float | None
    """Throughput of the first run; None: not measured."""
    second_images_per_second: float | None
    """Throughput of the second run; None: not measured."""
    first_ms_per_image: float | None
    """Time of an image in the first run: see `Performance`."""
    second_ms_per_image: float | None
    """The same of the second run."""
    first_spread_percent: float | None
    """Interquartile range of the first run's calls over their median."""
    second_spread_percent: float | None
    """The same of the second run."""
    ratio: float | None
    """Time of an image in the first run over that in the second: above 1 the second is faster."""
    noise_percent: float | None
    """How far from 1 the ratio must be to count; None: nothing says how large the noise is."""
    conditions: tuple[Change, ...] = ()
    """What the two were measured under that differs."""
    reason: str = ""
    """Why nothing can be told; empty where it can."""
    outcome: ChangeOutcome
    """What the second is against the first."""


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file that a run left in its folder, documents aside."""

    path: str
    """Relative to the run's folder."""
    first_sha256: str | None
    """Of the first run's file; None: it has none."""
    second_sha256: str | None
    """Of the second run's file; None: it has none."""
    first_size_bytes: int | None
    """Size of the first run's file."""
    second_size_bytes: int | None
    """Size of the second run's file."""
    presence: Presence
    """What became of it."""


@dataclass(frozen=True, kw_only=True)
class VerdictChange:
    """One of the five verdicts in both runs."""

    name: str
    """`weights`, `parity`, `preprocessing` or `accuracy`."""
    title: str
    """Its name in documents."""
    first: str
    """`pass`, `fail` or `not run`."""
    second: str
    """The same of the second run."""
    outcome: ChangeOutcome
    """Worse: it passed, and no longer does. Better: it passes, and did not."""


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """Two runs side by side. Nothing in it is computed from anything but the two records and their predictions.csv."""

    comparison_version: int = COMPARISON_VERSION
    """Version of this schema."""
    porter: str
    """Version of porter-core that compared."""
    first: Side
    """The run that the other is held against."""
    second: Side
    """The run that is judged."""
    notes: tuple[str, ...] = ()
    """What a reader must know before the figures, e.g. that the two are of different models."""
    inputs: tuple[Change, ...] = ()
    """What was read, by content."""
    options: tuple[Change, ...] = ()
    """What was asked for, files and folders aside."""
    versions: tuple[Change, ...] = ()
    """Packages, Python and plugins."""
    machine: tuple[Change, ...] = ()
    """What bounds a measurement."""
    verdicts: tuple[VerdictChange, ...] = ()
    """The four answers."""
    accuracy: tuple[MetricChange, ...] = ()
    """Every metric of every evaluation."""
    speed: tuple[SpeedChange, ...] = ()
    """Every artefact at every batch size."""
    files: tuple[FileChange, ...] = ()
    """What the runs left, by content."""
    reproduction: tuple[str, ...] | None = None
    """With `--reproduce`: what was not made again as it was, one line each. None: that was not asked for."""
    left_open: tuple[str, ...] = ()
    """What could not be compared, and how large a loss of accuracy could hide, one line each."""
    worse: tuple[str, ...] = ()
    """What makes the exit code 1, one line each: verdicts and accuracy that got worse. Speed is shown, not judged."""
