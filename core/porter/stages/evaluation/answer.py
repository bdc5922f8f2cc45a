"""answer: a stream of prepared images to a stream of outputs, batch by batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from porter.contracts.runtime import Session
from porter.stages.evaluation.infer import infer
from porter.stages.evaluation.judging import Answered
from porter.stages.evaluation.prepare import Batch, Prepared, batches
from porter.stages.job import Job


def answer(job: Job, session: Session, prepared: Iterable[Prepared], batch_size: int) -> Iterator[Answered]:
    """Infer a stream of prepared images, batch by batch; a session whose calls are dear is given more at a time.

    A session with streams is given as many batches at once. They come out in the order of the images.
    """
    size, streams = max(batch_size, session.least_rows), session.info.streams
    if streams == 1:
        for batch in batches(prepared, size):
            yield answer_batch(job, session, batch)
        return
    window: deque[Future[Answered]] = deque()
    pool = ThreadPoolExecutor(streams, thread_name_prefix="porter-stream")
    try:
        for batch in batches(prepared, size, ahead=streams):
            window.append(pool.submit(answer_batch, job, session, batch))
            if len(window) > streams:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def answer_batch(job: Job, session: Session, batch: Batch) -> Answered:
    """Infer one batch; preprocessing begins no image while that holds all processors."""
    alone = session.info.streams == 1 and session.info.threads is not None and session.info.threads >= job.threads
    if alone:
        job.processors_free.clear()
    started = time.perf_counter()
    try:
        outputs = {} if batch.array is None else infer(job, session, batch.array)
    finally:
        job.processors_free.set()
    return Answered(batch=batch, outputs=outputs, infer_seconds=time.perf_counter() - started)
