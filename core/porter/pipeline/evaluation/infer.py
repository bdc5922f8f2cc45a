"""infer: batches to named outputs, one row a sample, whatever batch size the artefact is fixed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, count_of, is_ragged, joined, part, repeated
from porter.contracts.runtime import Session
from porter.errors import BadInput, PluginError
from porter.pipeline.evaluation.listed import divided
from porter.pipeline.job.job import Job

if TYPE_CHECKING:
    import numpy as np


def infer(job: Job, session: Session, feeds: Rows) -> dict[str, np.ndarray]:
    """Run a batch and return as many rows of every output as it has.

    Where the session is fixed to a batch size, the batch is cut into pieces of that size and the last one is
    padded with copies of its last row; the padding's outputs are dropped. Samples of other sizes than their neighbours
    are run in calls of their own. Raises `BadInput` where the model returns another number of rows.
    """
    fixed, count = session.info.batch, count_of(feeds)
    if any(map(is_ragged, feeds.values())):
        return joined([infer(job, session, alike) for alike in _alike(feeds)])
    if fixed is None or session.cuts or count == fixed:
        return _called(job, session, feeds, count)
    pieces = []
    for start in range(0, count, fixed):
        piece = part(feeds, start, start + fixed)
        rows = count_of(piece)
        if rows < fixed:
            piece = joined([piece, repeated(piece, rows - 1, fixed - rows)])
        pieces.append(part(_called(job, session, piece, fixed), 0, rows))
    return joined(pieces)


class Listener(Session):
    """Takes what the model feeds a session: layout and type are the plugin's own business.

    It answers with outputs of the reference, of the first batch that it hears: what they hold is of no matter.
    """

    def __init__(self, job: Job) -> None:
        self.info = job.reference.info
        self._job = job
        self._heard: dict[str, np.ndarray] | None = None

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self._heard = dict(feeds)
        return self._job.reference.run(feeds)

    def hear(self, feeds: Rows) -> dict[str, np.ndarray]:
        """What reaches a session when the model infers a batch."""
        self._heard = None
        self._job.hooks.infer(self, feeds, self._job.spec)
        return dict(feeds) if self._heard is None else self._heard


def _called(job: Job, session: Session, feeds: Rows, rows: int) -> dict[str, np.ndarray]:
    """One call. Its outputs have a row for each of the batch, or are divided into such."""
    outputs = job.hooks.infer(session, feeds, job.spec)
    try:
        outputs = divided(outputs, job.spec, rows)
    except PluginError as error:
        raise PluginError(f"{session.info.runtime}: {error}") from None
    for name, values in outputs.items():
        have = values.shape[0] if values.ndim else 1
        if have != rows:
            raise BadInput(
                f"{session.info.runtime}: {rows} images in, but output {name!r} has {have} rows: "
                "the model has a fixed batch size"
            )
    return outputs


def _alike(feeds: Rows) -> Iterator[dict[str, np.ndarray]]:
    """Consecutive rows whose arrays have the same shapes."""
    import numpy as np

    count, start = count_of(feeds), 0
    shapes = [tuple(np.shape(values[row]) for values in feeds.values()) for row in range(count)]
    for row in range(1, count + 1):
        if row == count or shapes[row] != shapes[start]:
            rows = part(feeds, start, row)
            yield {name: np.stack(list(values)) if is_ragged(values) else values for name, values in rows.items()}
            start = row
