"""Accuracy of one artefact over the manifest, and how fast the whole path ran."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.artefact import SessionInfo
from porter.records.changes import Changes
from porter.records.coverage import Compared, SettingCheck
from porter.records.interval import Interval
from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of accuracy."""

    name: str
    """Name by which the gate and published figures refer to it, e.g. `top1`."""
    title: Text
    """Its name in documents."""
    value: float
    """The figure, in `unit`."""
    unit: str = "percent"
    """Unit of `value`."""
    count: int
    """What the value divides by."""
    hits: int | None = None
    """The numerator, where the metric is a proportion."""
    interval: Interval | None = None
    """Confidence interval of the value; None: none is known."""
    higher_is_better: bool = True
    """Which way a drop goes."""
    in_documents: bool = True
    """Whether documents show it; else run.json and the task's own files alone have it."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a task adds to the documents."""

    title: Text
    """Heading of the table."""
    columns: tuple[Text, ...]
    """Headings of the columns."""
    rows: tuple[tuple[str | int | float, ...], ...]
    """Fields in the order of `columns`; a float is shown with two places."""


@dataclass(frozen=True, kw_only=True)
class StageTime:
    """Busy time of one stage, summed over its workers."""

    name: str
    """`read`, `preprocess`, `infer` or `postprocess`."""
    seconds: float
    """Time that its workers were busy."""
    share_percent: float
    """Of the busy time of all stages."""
    workers: int
    """Threads that the stage ran on, over all processes."""


@dataclass(frozen=True, kw_only=True)
class EndToEnd:
    """The rate at which images went through the whole path, reading to scoring."""

    images: int
    """Images that went through."""
    wall_seconds: float
    """From the first image asked for to the last one scored."""
    images_per_second: float
    """`images` over `wall_seconds`."""
    stages: tuple[StageTime, ...]
    """The stages in order."""
    source: str
    """`images`, `tensors` or `outputs`: what the evaluation read."""
    resumed: int = 0
    """Images that an earlier run, interrupted or with the same inputs, had answered; their time counts as it was."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where images were answered."""

    executor: str
    """`local`: the process of the command; `ray`: the workers of a Ray cluster."""
    workers: int
    """Processes that answered at once, at most, each with a session of its own."""
    images: int
    """Images answered there."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An item that has no answer. It counts as wrong."""

    id: str
    """The item's place in the data folder."""
    reason: Text
    """Why there is no prediction, in one line."""


@dataclass(frozen=True, kw_only=True)
class Unanswered:
    """Items that have no answer for the same reason; they count as wrong."""

    reason: Text
    """Why, in the words of the first of them."""
    count: int
    """How many they are."""
    first: tuple[str, ...]
    """The first three, by their place in the data folder."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """listed = scored + unreadable + non-finite; every metric divides by `listed`."""

    name: str
    """`reference`, or the artefact's id."""
    title: Text
    """Its name in documents."""
    session: SessionInfo
    """What really ran."""
    batch: int | None
    """Images that were handed over at a time; a session fixed to another size pads. None, here and below: what was
    imported does not say."""
    listed: int
    """Items of the manifest."""
    scored: int | None
    """Items with an answer, right or wrong."""
    unreadable: int | None
    """Items whose image could not be read whole, or whose answer did not come back from where it was made."""
    nonfinite: int | None
    """Items whose outputs held NaN or infinity."""
    failures: tuple[Failure, ...]
    """The first hundred; predictions.csv has all."""
    unanswered: tuple[Unanswered, ...] = ()
    """Every item without an answer, by the reason, the commonest first."""
    metrics: tuple[Metric, ...]
    """The task's figures, over all items."""
    tables: tuple[Table, ...] = ()
    """Further tables of the task."""
    agreement: Metric | None = None
    """Items on which the answer equals the reference's; None for the reference itself."""
    changes: Changes | None = None
    """Against the reference, image by image; None for the reference itself."""
    compared: Compared | None = None
    """Its raw outputs against the reference's for the same images; None for the reference itself."""
    checks: tuple[SettingCheck, ...] = ()
    """Rows against the same images alone, in the sessions that answered, when they began and when they ended."""
    chance: Text = ""
    """Why the result cannot be told from guessing; empty where it can, and where most items have no answer."""
    executions: tuple[Execution, ...] = ()
    """Where the items were answered; several where the evaluation was interrupted and went on elsewhere."""
    measured: str = ""
    """Local time with offset, ISO 8601, when the last item was answered."""
    end_to_end: EndToEnd | None
    """How fast the items went through the whole path here; None: they went through it elsewhere."""

    @property
    def mostly_unanswered(self) -> bool:
        """Whether more than half of the items have no answer, so that no figure says anything of the model."""
        return 2 * sum(one.count for one in self.unanswered) > self.listed

    def metric(self, name: str) -> Metric:
        """The metric of that name; KeyError where there is none."""
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)
