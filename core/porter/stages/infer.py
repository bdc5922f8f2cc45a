"""infer: batches to named outputs, one row an image, whatever batch size the artefact is fixed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.stages.job import Job

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
    if fixed is None or len(batch) == fixed:
        return _checked(job.hooks.infer(session, batch, job.spec), len(batch), session)
    pieces = []
    for start in range(0, len(batch), fixed):
        piece = batch[start : start + fixed]
        padding = np.repeat(piece[-1:], fixed - len(piece), axis=0)
        full = np.concatenate([piece, padding])
        outputs = _checked(job.hooks.infer(session, full, job.spec), fixed, session)
        pieces.append({name: rows[: len(piece)] for name, rows in outputs.items()})
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _checked(outputs: Mapping[str, np.ndarray], rows: int, session: Session) -> dict[str, np.ndarray]:
    for name, values in outputs.items():
        have = values.shape[0] if values.ndim else 1
        if have != rows:
            raise BadInput(
                f"{session.info.runtime}: {rows} images in, output {name!r} has {have} rows: "
                "a batch size is baked into the model"
            )
    return dict(outputs)
