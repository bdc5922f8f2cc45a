"""answer: a stream of prepared images to a stream of outputs, batch by batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from porter.contracts.runtime import Session
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.prepare import batches
from porter.pipeline.evaluation.shapes import Answered, Batch, Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.processors import end


def answer(job: Job, session: Session, prepared: Iterable[Prepared], batch_size: int) -> Iterator[Answered]:
    """Infer a stream of prepared images, batch by batch; a session whose calls are dear is given more at a time.

    A session with streams is given as many batches at once. They come out in the order of the images. Where they are
    inferred on processors, that is done by the threads that preprocess: more would only take turns.
    """
    size, streams = max(batch_size, session.least_rows), session.info.streams
    if streams == 1:
        for batch in batches(prepared, size):
            yield answer_batch(job, session, batch)
        return
    window: deque[Future[Answered]] = deque()
    elsewhere = session.info.threads is None
    own = ThreadPoolExecutor(streams, thread_name_prefix="porter-stream") if elsewhere else None
    pool = own or job.processors.pool
    try:
        for batch in batches(prepared, size, ahead=streams):
            window.append(pool.submit(answer_batch, job, session, batch))
            if len(window) > streams:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        end(window)
        if own is not None:
            own.shutdown()


def answer_batch(job: Job, session: Session, batch: Batch) -> Answered:
    """Infer one batch, on processors that nothing else works on."""
    if batch.array is None:
        return Answered(batch=batch, outputs={}, infer_seconds=0.0)
    with job.processors.for_batch(session.info.threads_a_stream):
        started = time.perf_counter()
        outputs = infer(job, session, batch.array)
        return Answered(batch=batch, outputs=outputs, infer_seconds=time.perf_counter() - started)
