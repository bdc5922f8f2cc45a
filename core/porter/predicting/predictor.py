"""Samples to answers: delivered preprocessing, one session, and the task's words for what comes out."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from porter.contracts.requests import Image, Source
from porter.contracts.rows import stacked
from porter.contracts.runtime import Session
from porter.errors import BadInput, TargetFailed, one_line
from porter.images.one_large import one_large_image
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.judging import predictions_of
from porter.pipeline.job.job import Job
from porter.predicting.samples import Given, Sample, given
from porter.records.artefact import Artefact, SessionInfo
from porter.records.request import BEST_IN_BATCH

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What the model says of one sample."""

    sample: str
    """The path as given; `sample N`, counted from 1, for what has none; the id of an item."""
    entries: tuple[dict[str, Any], ...]
    """What was found, the surest first, in plain words: see `Task.entries`. Of a classifier `class`, `name` (empty: not
    known) and `score`, as the model gives it, at most five."""
    value: Any
    """The same as the task has it: `Classified`, boxes, a mask."""


class Predictor:
    """One artefact in memory, as `Result.session` opens it. A context manager, which closes it; any number of threads
    may use it, one after the other."""

    def __init__(self, job: Job, artefact: Artefact, session: Session) -> None:
        self.artefact = artefact
        self.info: SessionInfo = session.info
        self._job, self._session = job, session
        self._free = threading.Lock()

    def predict(self, samples: Sample | Iterable[Sample]) -> list[Prediction]:
        """One prediction for each sample, in order.

        A sample is a path, the bytes of an image file, an image as numpy array (uint8 H×W×3, RGB), or an `Item` with
        files below the working folder, a box or a text; one alone gives a list of one. It goes through the very
        preprocessing that was verified. Raises `BadInput` or `ImageError`, naming the first that cannot be read, before
        anything of its batch is inferred.
        """
        listed, size = given(samples), max(self.info.batch or BEST_IN_BATCH, self._session.least_rows)
        return [one for at in range(0, len(listed), size) for one in self._batch(listed[at : at + size])]

    def close(self) -> None:
        """Release what the session holds."""
        self._session.close()

    def __enter__(self) -> Predictor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<porter.Predictor {one_line(self.artefact.id)} on {one_line(self.info.provider)}>"

    def _batch(self, samples: Sequence[Given]) -> list[Prediction]:
        sources, arrays = [], []
        for one in samples:
            source, prepared = self._prepared(one)
            sources.append(source)
            arrays.append(prepared)
        with self._free:
            outputs = infer(self._job, self._session, stacked(arrays))
        found = predictions_of(self._job, outputs, sources)
        return [self._told(source.item.id, value) for source, value in zip(sources, found, strict=True)]

    def _prepared(self, one: Given) -> tuple[Source, dict[str, np.ndarray]]:
        job = self._job
        own = job.hooks.implementer("porter_read")
        if one.image is not None and own is not None:
            raise BadInput(
                f"{one.item.id}: the plugin {own!r} reads the files of this model itself. Give paths or bytes"
            )
        with one_large_image():
            sample = one.image or job.hooks.read(one.item, one.store, job.spec)
            size = sample.pixels.shape[:2] if isinstance(sample, Image) else None
            return Source(item=one.item, size=size), job.hooks.preprocess(sample, job.spec)

    def _told(self, name: str, value: Any | None) -> Prediction:
        if value is None:
            raise TargetFailed(f"{one_line(name)}: the outputs of {one_line(self.artefact.id)} are not finite")
        entries = tuple(_plain(dict(entry)) for entry in self._job.task.entries(value, self._job.spec))
        return Prediction(sample=name, entries=entries, value=value)


def _plain(entry: dict[str, Any]) -> dict[str, Any]:
    """What numpy has in it as Python has it."""
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(
        entry, enc_hook=lambda value: value.tolist() if hasattr(value, "tolist") else str(value)
    )
    return found
