"""What a task is: what a label is and how it is read, how predictions become metrics, and which one the gate reads."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from porter.errors import BadInput, one_line
from porter.files.urls import is_url
from porter.records.evaluation import Metric, Table
from porter.records.manifest import Item, Manifest
from porter.records.message import Text
from porter.records.spec import ModelSpec
from porter.records.suspects import LabelFinding

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """Images and labels as the user named them."""

    root: str
    """The images as named: a folder, or a URL as fsspec takes it; `porter.data.store.open_store` reads both."""
    spec: ModelSpec
    """The model that will be scored on them."""
    labels: Path | None = None
    """A file or a folder; the task refuses the one that it does not take."""
    class_map: Path | None = None
    """File that gives class folders, or the ids of labels, their index; one of `Task.class_maps` where its name was
    given."""
    label_offset: int = 0
    """Subtract this from every label."""
    limit: int | None = None
    """Take so many images, evenly spaced; None: all."""
    keep_apart: int = 0
    """Leave up to so many others out of the manifest, for calibration, and name them in `Manifest.kept_apart`; see
    `porter.data.selection.select`. A task that does not is asked for nothing else: the user must give a folder then."""

    @property
    def data(self) -> Path:
        """The folder of images, for a task that reads no others. Raises `BadInput` for a URL."""
        if is_url(self.root):
            raise BadInput(f"--data {one_line(self.root)}: the task of this model reads images from a folder only")
        return Path(self.root)


class Scorer(abc.ABC):
    """Accumulates one evaluation over a stream of predictions, in bounded memory."""

    @abc.abstractmethod
    def add(self, item: Item, prediction: Any | None) -> float:
        """Count one item and return its own score (1 right, 0 wrong; or an overlap).

        `prediction` is None where there is no answer: the image could not be read, or the outputs were not
        finite. Such an item scores 0 and stays in every denominator.
        """

    @abc.abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics over everything added so far."""

    def resampled(self, weights: np.ndarray) -> float | None:
        """The gate's metric, in its unit, were each item there as often as `weights` (int N, in the order of `add`)
        says; None: only proportions have an interval, by `Metric.hits`. Of two evaluations with the same weights the
        difference tells how sure a drop is (bootstrap over items)."""
        return None

    def tables(self) -> tuple[Table, ...]:
        """Further tables for the documents, e.g. a figure for each class."""
        return ()

    def label_faults(self) -> tuple[LabelFinding, ...]:
        """Faults of the labels that would explain the predictions, where `Task.explain_labels` cannot tell them from
        the answers alone; asked of the reference's scorer. Nothing is applied."""
        return ()


class Task(abc.ABC):
    """A task that a plugin offers through `porter_tasks`. A prediction is whatever `porter_postprocess` returns."""

    name: str
    """The name that a model's spec gives."""
    title: str
    """Its name in documents."""
    gate: str
    """Name of the metric that the accuracy verdict reads."""
    metric_names: tuple[str, ...] = ()
    """Names of its metrics, of which a spec may state published figures; empty: any."""
    answer_name: Text
    """What `answer` compares, in words, e.g. "top-1 class"."""
    files: tuple[str, ...] = ()
    """Names of the files that `documents` may write into the run's folder."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""
    columns: tuple[str, ...]
    """Columns of predictions.csv that `row` fills."""
    class_maps: Mapping[str, Path] = MappingProxyType({})
    """Class maps that ship with the task, by the name that `--class-map` takes in place of a file."""
    needs_sizes: bool = True
    """Whether `porter_postprocess` of its models asks for the size of the images."""
    prediction_type: type[Any] | None = None
    """The type of a prediction, where msgspec can write it as JSON and read it again unchanged: dataclasses, numbers,
    text, tuples, lists. An evaluation is then journalled and goes on where it was interrupted; None: it starts over."""

    @abc.abstractmethod
    def manifest(self, request: DataRequest) -> Manifest:
        """List the images, read and check the labels. Raises `BadInput` naming the file or line."""

    @abc.abstractmethod
    def scorer(self, spec: ModelSpec, manifest: Manifest) -> Scorer:
        """A fresh scorer for the items of `manifest`."""

    @abc.abstractmethod
    def row(self, prediction: Any) -> Sequence[str]:
        """The fields of predictions.csv for one prediction, as many as `columns`."""

    @abc.abstractmethod
    def answer(self, prediction: Any) -> Hashable:
        """The part of a prediction that a user sees; two artefacts agree on an image when it is equal. Small."""

    def is_same(self, one: Hashable, other: Hashable) -> bool:
        """Whether two answers, None where there is none, are the same to a user: a box or a joint that moved by less
        than a tolerance has not changed."""
        return one == other

    def ranking(self, prediction: Any) -> Hashable:
        """What a user sees of a prediction below its answer, e.g. the order of the top 5; by default the answer."""
        return self.answer(prediction)

    def label_text(self, item: Item) -> str:
        """What documents show of an item's label beside an answer, in a few words."""
        return str(item.label)

    def picture(self, pixels: np.ndarray, reference: Hashable, candidate: Hashable, item: Item) -> np.ndarray | None:
        """What report.html shows of an image whose answer has changed: `pixels` (uint8 H×W×3 RGB) with the two answers
        drawn over a copy, None where there is none; None: the image as it is."""
        return None

    def entries(self, prediction: Any, spec: ModelSpec) -> Sequence[Mapping[str, Any]]:
        """A prediction in plain words for whoever uses the model: one mapping for each thing found (a class, a box),
        the surest first, of names to text, numbers, or lists of these. By default `row` under `columns`."""
        return (dict(zip(self.columns, self.row(prediction), strict=False)),)

    def margin(self, prediction: Any) -> float | None:
        """By how much the answer leads the next best, in units of the scores; None where that has no meaning."""
        return None

    def misfit(self, spec: ModelSpec) -> str:
        """What in a spec this task cannot work with, beginning with the field: `num_classes: …`; empty: nothing. Asked
        as soon as a model is described."""
        return ""

    def chance(self, spec: ModelSpec, metrics: Sequence[Metric]) -> Text:
        """Why the result cannot be told from guessing, in one sentence; empty where it can."""
        return ""

    def explain_labels(
        self, answers: Sequence[Hashable], items: Sequence[Item], spec: ModelSpec
    ) -> tuple[LabelFinding, ...]:
        """Faults of the labels that would explain the answers (None where there is none); nothing is applied."""
        return ()

    def documents(self, metrics: Sequence[Metric], spec: ModelSpec) -> Mapping[str, bytes]:
        """The content of `files`, by name, made from the first artefact's metrics."""
        return {}
