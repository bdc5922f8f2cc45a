"""What a session gets wrong beside its arithmetic: the checks of a run, and calls whose outputs are known."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, count_of, joined, part
from porter.contracts.runtime import Session
from porter.errors import one_line
from porter.pipeline.session_checks.calls import session_findings, swallowed
from porter.pipeline.session_checks.rows_alike import rows_off
from porter.records.parity import Tolerance
from porter.testing.tried_model import Problem

if TYPE_CHECKING:
    import numpy as np

HOOK = "porter_runtimes"
INPUT = "image"
"""The graph's input."""
IMAGES = 8
"""As many as a batch of an evaluation has."""
CALLS = 64
"""After which a session is past its first calls, as in a run."""


def session_behaviour(said: str, session: Session, weights: np.ndarray) -> Iterator[Problem]:
    """The checks that a run makes of a session, and many calls against float32 `image.reshape(N, -1) @ weights`."""
    import numpy as np

    fixed = session.info.batch
    values = np.random.default_rng(IMAGES).standard_normal((IMAGES, 3, 8, 8), dtype=np.float32)
    found = list(swallowed(session.run, {INPUT: values[: fixed or 1]}))
    if fixed in (None, 1):
        images = [{INPUT: image[None]} for image in values]
        run = session.run if fixed is None else partial(_one_by_one, session)
        found += session_findings(run, images, Tolerance(), callers=session.info.streams)
    for one in found:
        yield Problem(HOOK, f"the session of {said}: {one_line(str(one.title))} ({one_line(str(one.detail))})")
    if not found:
        yield from _known_outputs(said, session, values, weights)


def _one_by_one(session: Session, feeds: Rows) -> dict[str, np.ndarray]:
    """A batch in a session that takes one image a call; the outputs of a call are kept, not copied."""
    count = count_of(feeds)
    if count == 1:
        return dict(session.run(feeds))
    return joined([copied(session.run(part(feeds, row, row + 1))) for row in range(count)])


def _known_outputs(said: str, session: Session, values: np.ndarray, weights: np.ndarray) -> Iterator[Problem]:
    """Calls in turn, each on another batch, of every size that it takes."""
    sizes = (1, 2, 3, IMAGES) if session.info.batch is None else (session.info.batch,)
    for call in range(CALLS):
        rows = sizes[call % len(sizes)]
        batch = values.repeat(-(-rows // IMAGES), axis=0)[:rows] * (1.0 - call / (2 * CALLS))
        off = rows_off({"class": batch.reshape(rows, -1) @ weights}, session.run({INPUT: batch}), Tolerance())
        if off.any():
            yield Problem(
                HOOK, f"the session of {said}: {int(off.sum())} of {rows} rows of call {call + 1} in a row are wrong"
            )
            return
