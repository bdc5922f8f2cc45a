"""Accuracy of one artefact over the manifest, and how fast the whole path ran."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.artefact import SessionInfo


@dataclass(frozen=True, kw_only=True)
class Interval:
    low: float
    high: float
    confidence_percent: float
    method: str
    """Name of the method and its source."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of accuracy."""

    name: str
    title: str
    value: float
    unit: str = "percent"
    count: int
    """What the value divides by."""
    hits: int | None = None
    """The numerator, where the metric is a proportion."""
    interval: Interval | None = None
    higher_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a task adds to the documents."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | float, ...], ...]
    """Fields in the order of `columns`; a float is shown with two places."""


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """Busy time of one stage, summed over its workers."""

    name: str
    seconds: float
    share_percent: float
    """Of the busy time of all stages."""
    workers: int


@dataclass(frozen=True, kw_only=True)
class EndToEnd:
    """The rate at which images went through the whole path, reading to scoring."""

    images: int
    wall_seconds: float
    images_per_second: float
    stages: tuple[StageTime, ...]
    source: str
    """`images`, `tensors` or `outputs`: what the evaluation read."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An item that has no answer. It counts as wrong."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """listed = scored + unreadable + non-finite; every metric divides by `listed`."""

    name: str
    """`reference`, or the artefact's id."""
    title: str
    session: SessionInfo
    batch: int
    listed: int
    scored: int
    unreadable: int
    nonfinite: int
    failures: tuple[Failure, ...]
    """The first hundred; predictions.csv has all."""
    metrics: tuple[Metric, ...]
    tables: tuple[Table, ...] = ()
    agreement: Metric | None = None
    """Items on which the answer equals the reference's; None for the reference itself."""
    chance: str = ""
    """Why the result cannot be told from guessing; empty where it can."""
    end_to_end: EndToEnd

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError where there is none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)
