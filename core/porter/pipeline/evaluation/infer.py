"""infer: batches to named outputs, one row an image, whatever batch size the artefact is fixed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.pipeline.job.job import Job

if TYPE_CHECKING:
    import numpy as np


def infer(job: Job, session: Session, batch: np.ndarray) -> dict[str, np.ndarray]:
    """Run a batch and return as many rows of every output as it has.

    Where the session is fixed to a batch size, the batch is cut into pieces of that size and the last one is
    padded with copies of its last row; the padding's outputs are dropped. Raises `BadInput` where the model
    returns another number of rows.
    """
    import numpy as np

    fixed = session.info.batch
    if fixed is None or session.cuts or len(batch) == fixed:
        return _checked(job.hooks.infer(session, batch, job.spec), len(batch), session)
    pieces = []
    for start in range(0, len(batch), fixed):
        piece = batch[start : start + fixed]
        padding = np.repeat(piece[-1:], fixed - len(piece), axis=0)
        full = np.concatenate([piece, padding])
        outputs = _checked(job.hooks.infer(session, full, job.spec), fixed, session)
        pieces.append({name: rows[: len(piece)] for name, rows in outputs.items()})
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


class Listener(Session):
    """Takes what the model feeds a session: layout and type are the plugin's own business.

    It answers with outputs of the reference, of the first batch that it hears: what they hold is of no matter.
    """

    def __init__(self, job: Job) -> None:
        self.info = job.reference.info
        self._job = job
        self._answer: dict[str, np.ndarray] = {}
        self._heard: np.ndarray | None = None

    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        self._heard = batch
        self._answer = self._answer or self._job.reference.run(batch)
        return {name: values[[0] * len(batch)] for name, values in self._answer.items()}

    def hear(self, batch: np.ndarray) -> np.ndarray:
        """What reaches a session when the model infers `batch`."""
        self._heard = None
        self._job.hooks.infer(self, batch, self._job.spec)
        return batch if self._heard is None else self._heard


def _checked(outputs: Mapping[str, np.ndarray], rows: int, session: Session) -> dict[str, np.ndarray]:
    for name, values in outputs.items():
        have = values.shape[0] if values.ndim else 1
        if have != rows:
            raise BadInput(
                f"{session.info.runtime}: {rows} images in, but output {name!r} has {have} rows: "
                "the model has a fixed batch size"
            )
    return dict(outputs)
