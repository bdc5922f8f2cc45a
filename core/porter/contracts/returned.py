"""What came back from another machine, as a runtime reads it: figures, outputs, and what does not fit together.

Core scores the outputs, holds stated accuracies against them, and writes record and documents.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.measured import Measured
from porter.errors import BadInput, one_line
from porter.records.artefact import SessionInfo
from porter.records.evaluation import Metric
from porter.records.imported import DatasetRun, ImportFinding
from porter.records.manifest import Manifest
from porter.records.message import Text
from porter.records.record import InputFile
from porter.records.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np

NOT_REPORTED = "not reported"
"""What stands in the record for what no file says."""


class Unusable(BadInput):
    """An output of one image that cannot be used."""

    def __init__(self, place: object, reason: Text) -> None:
        """`place` is the file; `reason` says why, in words that are the same for every file of which it is true."""
        super().__init__(f"{one_line(place)}: {reason}")
        self.reason = reason


class ReturnedOutputs(abc.ABC):
    """The outputs of one artefact for many images, one entry an image."""

    path: Path
    """The folder or file that holds them."""
    batch: int | None = None
    """Batch size that they were made at; None: not said."""
    files: Sequence[Path] = ()
    """The files of a folder, in order, so that a document can say what was scored."""

    @abc.abstractmethod
    def names(self, ids: Sequence[str]) -> Sequence[str]:
        """The name that each image of these ids has here."""

    @abc.abstractmethod
    def missing(self, names: Sequence[str]) -> Sequence[str]:
        """Those of `names` that are not here."""

    @abc.abstractmethod
    def extra(self, names: Sequence[str]) -> Sequence[str]:
        """What is here beside `names`."""

    @abc.abstractmethod
    def read(self, name: str, outputs: Sequence[TensorSpec]) -> Mapping[str, np.ndarray]:
        """The outputs of one image by name, without the batch. Raises `Unusable`, or another `BadInput`, where they
        cannot be read: the image then has no answer, for that reason."""


@dataclass(frozen=True, kw_only=True)
class StatedSpeed:
    """Pure inference at one batch size, as a file states it."""

    path: Path
    """The file."""
    batch: int
    """Images a call."""
    measured: Measured
    """The figures."""


@dataclass(frozen=True, kw_only=True)
class StatedAccuracy:
    """An accuracy as a file states it."""

    path: Path
    """The file."""
    images: int
    """Images behind it."""
    metrics: tuple[Metric, ...]
    """The figures, under the names that the task gives its metrics, e.g. `top1`; `Metric.hits` is None."""
    within: float = 0.0
    """By how much a figure may differ from the exact one, in its own unit: half of the last place in which it is given.
    One that is further from the outputs that came back with it is a finding."""


@dataclass(frozen=True, kw_only=True)
class SentImages:
    """The images that a kit was written with."""

    manifest: Manifest
    """All of them."""
    names: tuple[str, ...]
    """Name of each image's outputs, in order; empty: it was not sent."""
    reasons: tuple[str, ...]
    """Why it was not sent, in order; empty: it was."""


@dataclass(frozen=True, kw_only=True)
class Returned:
    """Everything that one folder says."""

    session: SessionInfo
    """What ran, as far as the files say; `NOT_REPORTED` where they do not. Batch and tool are left out."""
    measured_on: str = NOT_REPORTED
    """The host and the chip, as far as the files say."""
    speeds: tuple[StatedSpeed, ...] = ()
    """Speed as the tools state it."""
    outputs: tuple[ReturnedOutputs, ...] = ()
    """Outputs to score."""
    stated: tuple[StatedAccuracy, ...] = ()
    """Accuracies that files state."""
    dataset_runs: tuple[DatasetRun, ...] = ()
    """Whole data sets through a tool."""
    findings: tuple[ImportFinding, ...] = ()
    """What does not fit together, what is missing, what could not be read."""
    notes: tuple[Text, ...] = ()
    """What the figures mean, where a tool's own names mislead."""
    gave: Mapping[Path, Sequence[Text]] = field(default_factory=dict)
    """What was taken from each file besides `speeds`, `outputs` and `stated`, in words."""
    model_names: tuple[str, ...] = ()
    """What the files call the model, without batch size and suffix: `MODEL_VARIANT`, parted by anything or nothing."""
    spec: ModelSpec | None = None
    """The model as the kit has it; None: there was no kit."""
    made_from: tuple[InputFile, ...] = ()
    """Config and checkpoint of the model as the kit has them, by name alone."""
    sent: SentImages | None = None
    """The images as the kit has them; None: there was no kit."""
    kit: Path | None = None
    """The file that lists the kit."""
    kit_sha256: str = ""
    """Of the list of the kit that was run, as the results name it; empty: they name none."""
    batches: tuple[int, ...] = ()
    """Batch sizes that should have been measured; empty: not known."""
