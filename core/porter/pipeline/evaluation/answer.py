"""answer: a stream of prepared images to a stream of outputs, batch by batch."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from porter.contracts.runtime import Session
from porter.pipeline.evaluation.checking import Checking
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.prepare import batches
from porter.pipeline.evaluation.shapes import Answered, Batch, Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.job.processors import end


def answer(
    job: Job,
    session: Session,
    prepared: Generator[Prepared, None, None],
    batch_size: int,
    check: Checking | None = None,
) -> Iterator[Answered]:
    """Infer a stream of prepared images, batch by batch; a session whose calls are dear is given more at a time.

    A session with streams is given as many batches at once. They come out in the order of the images. Where they are
    inferred on processors, that is done by the threads that preprocess: more would only take turns.

    `check` looks at the first batch and at the last, while nothing else runs in the session.

    The stream of images ends here and now, whatever a session raises: an error keeps what it passed through alive, and
    where that were ended by the garbage collector, in a thread that works for it, it would wait for itself.
    """
    size = max(batch_size, session.least_rows)
    with closing(prepared):
        if session.info.streams > 1:
            yield from _in_streams(job, session, prepared, size, check)
            return
        for batch in batches(prepared, size):
            answered = answer_batch(job, session, batch)
            yield answered if check is None else check.seen(answered)


def _in_streams(
    job: Job, session: Session, prepared: Iterator[Prepared], size: int, check: Checking | None
) -> Iterator[Answered]:
    streams = session.info.streams
    window: deque[Future[Answered]] = deque()
    elsewhere = session.info.threads is None
    own = ThreadPoolExecutor(streams, thread_name_prefix="porter-stream") if elsewhere else None
    pool = own or job.processors.pool
    try:
        for batch in batches(prepared, size, ahead=streams):
            if check is not None and check.wants(batch):
                while window:
                    yield window.popleft().result()
                yield check.seen(pool.submit(answer_batch, job, session, batch).result())
                continue
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
    if not batch.feeds:
        return Answered(batch=batch, outputs={}, infer_seconds=0.0)
    with job.processors.for_batch(session.info.threads_a_stream):
        started = time.perf_counter()
        outputs = infer(job, session, batch.feeds)
        return Answered(batch=batch, outputs=outputs, infer_seconds=time.perf_counter() - started)
