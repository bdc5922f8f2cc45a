"""What the trials of one diagnosis share: the job, its record, the images and the reference's outputs for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, single, stacked
from porter.contracts.runtime import Session
from porter.diagnose.conclude import failed_verdicts
from porter.errors import PorterError
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.judge.tolerance import Bound, bound_for
from porter.records.artefact import Artefact
from porter.records.record import RunRecord

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class Conditions:
    """Frozen; what is expensive is made once."""

    job: Job
    record: RunRecord
    images: Sequence[Prepared]
    """All readable."""

    @cached_property
    def feeds(self) -> dict[str, np.ndarray]:
        """All images as one batch."""
        return stacked([one.arrays for one in self.images])

    @cached_property
    def truth(self) -> list[dict[str, np.ndarray]]:
        """The reference's outputs, image by image."""
        return [infer(self.job, self.job.reference, single(one.arrays)) for one in self.images]

    @property
    def alike(self) -> list[Prepared]:
        """The images whose arrays have the shapes of the first's, so that they go in one batch."""
        return alike(self.images)

    @property
    def failed(self) -> tuple[str, ...]:
        """The verdicts that failed."""
        return failed_verdicts(self.record)

    def call(self, session: Session, problems: list[str]) -> _Call:
        """Calls of a session as trials make them: one that fails gives no outputs; its reason goes to `problems`."""
        return _Call(self.job, session, problems)

    def bound(self, artefact: Artefact) -> Bound:
        """The tolerance for an artefact's outputs."""
        assert self.record.export is not None
        precision = self.job.precision(artefact.precision)
        return bound_for(self.job.request, precision, self.record.export.facts.operators)

    def command(self, stage: str) -> str:
        """What to type for a stage of this run."""
        return self.record.commands.get(stage, f"porter {stage} --out {self.job.folder}")


def alike(images: Sequence[Prepared]) -> list[Prepared]:
    """Those of the images whose arrays have the shapes of the first's."""
    shapes = [{name: values.shape for name, values in one.arrays.items()} for one in images]
    return [one for one, shape in zip(images, shapes, strict=True) if shape == shapes[0]]


@dataclass(frozen=True, eq=False)
class _Call:
    job: Job
    session: Session
    problems: list[str]

    def __call__(self, batch: Rows) -> Rows:
        try:
            return infer(self.job, self.session, batch)
        except PorterError as error:
            self.problems.append(str(error))
            return {}
