"""bench: the speed of pure inference, at each batch size, on real preprocessed images or random values."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.records.artefact import Artefact
from porter.records.message import Message
from porter.records.performance import Performance
from porter.stages.job import Job
from porter.stages.measured import performance_of
from porter.stages.prepare import readable
from porter.stages.timing import is_steady, latency_of

if TYPE_CHECKING:
    import numpy as np

WARMUP_SECONDS = 0.5
WARMUP_RUNS = 3
MIN_CALLS = 10
MAX_CALLS = 2000


def bench(job: Job, artefact: Artefact, images: Sequence[np.ndarray]) -> list[Performance]:
    """Measure one artefact at every batch size of the request, each in a session of its own.

    An artefact that is fixed to one batch size is measured at that one alone.
    """
    results = []
    sizes = job.request.batch_sizes
    runtime = job.registry.runtime(artefact.runtime)
    if artefact.batch is not None and sizes != (artefact.batch,):
        if not runtime.fixed_batch:  # else every size has an artefact of its own
            job.progress.note(f"{artefact.id} is fixed to batch {artefact.batch}: measured at that batch size only")
        sizes = (artefact.batch,)
    job.require_built(artefact)
    for batch in sizes:
        with job.progress.step(f"bench {artefact.id} at batch {batch}"):
            started = time.perf_counter()
            session = job.open(artefact, check=False, batch=batch)
            load_ms = 1000 * (time.perf_counter() - started)
            try:
                if session.info.batch not in (None, batch):
                    raise BadInput(f"{artefact.path} is fixed to batch {session.info.batch}, not {batch}")
                own = session.measure(batch)
                if own is not None:
                    results.append(performance_of(artefact.id, session.info, batch, own))
                else:
                    results.append(_measure(job, artefact, session, _stack(images, batch), load_ms))
            finally:
                session.close()
    return results


def bench_images(job: Job) -> list[np.ndarray]:
    """What the calls are fed: as many real images as the largest batch has, or random values of their shape."""
    import numpy as np

    largest = max(job.request.batch_sizes)
    if job.request.bench_input == "images":
        return [one.array for one in readable(job, largest) if one.array is not None]
    preprocess = job.spec.preprocess
    generator = np.random.default_rng(0)
    shape = (largest, len(preprocess.mean), *preprocess.crop)
    return list(generator.standard_normal(shape, dtype=np.float32))


def timed(call: Callable[[], object], seconds: float) -> list[float]:
    """Wall seconds of each call: at least ten calls, then until `seconds` have passed."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < MIN_CALLS or (time.perf_counter() - begun < seconds and len(times) < MAX_CALLS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def _measure(job: Job, artefact: Artefact, session: Session, batch: np.ndarray, load_ms: float) -> Performance:
    def call() -> object:
        return job.hooks.infer(session, batch, job.spec)

    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    warmups = _warm_up(call)
    times = timed(call, job.request.bench_seconds)
    latency = latency_of(times)
    return Performance(
        artefact=artefact.id,
        session=session.info,
        batch=len(batch),
        input=Message("real preprocessed images") if job.request.bench_input == "images" else Message("random values"),
        load_ms=load_ms,
        first_run_ms=1000 * first,
        warmup_runs=warmups + 1,
        calls=len(times),
        latency=latency,
        ms_per_image=1000 * statistics.median(times) / len(batch),
        images_per_second=len(batch) * len(times) / sum(times),
        steady=is_steady(times),
    )


def _warm_up(call: Callable[[], object]) -> int:
    begun, runs = time.perf_counter(), 0
    while runs < WARMUP_RUNS or time.perf_counter() - begun < WARMUP_SECONDS:
        call()
        runs += 1
    return runs


def _stack(images: Sequence[np.ndarray], batch: int) -> np.ndarray:
    import numpy as np

    return np.stack([images[k % len(images)] for k in range(batch)])
