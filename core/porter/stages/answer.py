"""answer: a stream of prepared images to a stream of outputs, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from porter.contracts.runtime import Session
from porter.stages.infer import infer
from porter.stages.job import Job
from porter.stages.judging import Answered
from porter.stages.prepare import Prepared, batches


def answer(job: Job, session: Session, prepared: Iterable[Prepared], batch_size: int) -> Iterator[Answered]:
    """Infer a stream of prepared images, batch by batch; a session whose calls are dear is given more at a time."""
    for batch in batches(prepared, max(batch_size, session.least_rows)):
        started = time.perf_counter()
        outputs = {} if batch.array is None else infer(job, session, batch.array)
        yield Answered(batch=batch, outputs=outputs, infer_seconds=time.perf_counter() - started)
