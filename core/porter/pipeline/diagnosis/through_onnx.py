"""An ONNX file in ONNX Runtime, node by node or optimised, held against the reference on the same images."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from porter.builtin.onnxruntime import OnnxRuntimeSession
from porter.contracts.rows import Rows, count_of, joined, part, stacked
from porter.contracts.runtime import OpenRequest, Session
from porter.errors import PorterError
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.verify import compare
from porter.records.artefact import Artefact
from porter.records.parity import OutputParity, Tolerance

if TYPE_CHECKING:
    import numpy as np

ROWS = 4
"""Images of the batch that is compared."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """One form of the model on the first images."""

    outputs: Mapping[str, np.ndarray]
    """Empty where it cannot be run, for `problem`."""
    worst: OutputParity | None
    """The output that is furthest beyond what is allowed."""
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every output is within the tolerance."""
        return self.worst is not None and self.worst.passed

    @property
    def ratio(self) -> float:
        """The error in units of what is allowed; infinite where there is none to measure."""
        if self.worst is None or self.worst.max_abs_error is None or not self.worst.allowed:
            return float("inf")
        return self.worst.max_abs_error / self.worst.allowed


def batch_of(conditions: Conditions, rows: int = ROWS) -> dict[str, np.ndarray]:
    """The first images as one batch."""
    return stacked([one.arrays for one in conditions.alike[:rows]])


def wanted_of(conditions: Conditions) -> dict[str, np.ndarray]:
    """The reference's outputs for it, image by image."""
    return joined([infer(conditions.job, conditions.job.reference, one) for one in _each(batch_of(conditions))])


def _each(batch: Rows) -> list[dict[str, np.ndarray]]:
    return [part(batch, row, row + 1) for row in range(count_of(batch))]


def through_session(
    conditions: Conditions, session: Session, tolerance: Tolerance, *, batched: bool = False
) -> Compared:
    """A session on the first images, one at a time or, `batched`, as one batch."""
    batch = batch_of(conditions)
    try:
        parts = [infer(conditions.job, session, one) for one in ([batch] if batched else _each(batch))]
        got = joined(parts)
    except PorterError as error:
        return Compared(outputs={}, worst=None, problem=str(error))
    found = [
        compare(name, len(values), values, got.get(name), tolerance) for name, values in wanted_of(conditions).items()
    ]
    beyond = [one.max_abs_error / one.allowed if one.max_abs_error is not None and one.allowed else float("inf")
              if not one.passed else 0.0 for one in found]  # fmt: skip
    return Compared(outputs=got, worst=found[beyond.index(max(beyond))])


def through_file(
    conditions: Conditions, path: Path, tolerance: Tolerance, *, precision: str = "fp32", batched: bool = False
) -> Compared:
    """A file in ONNX Runtime, each node as the file has it."""
    artefact = Artefact(runtime="onnxruntime", precision=precision, path=path.name)
    job = conditions.job
    request = OpenRequest(artefact=artefact, path=path, spec=job.spec, threads=job.threads)
    try:
        with closing(OnnxRuntimeSession(request, optimise=False)) as session:
            return through_session(conditions, session, tolerance, batched=batched)
    except PorterError as error:
        return Compared(outputs={}, worst=None, problem=str(error))
