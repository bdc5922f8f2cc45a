"""bench: the speed of pure inference, at each batch size, on real preprocessed images or random values."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.machine import host as machine
from porter.machine.clock import now
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact, require_built
from porter.pipeline.speed.by_own_tool import performance_of
from porter.pipeline.speed.timing import is_steady, latency_of, timed, warm_up
from porter.records.artefact import Artefact
from porter.records.message import Message
from porter.records.performance import Performance
from porter.records.tuning import Setting, Tuning

if TYPE_CHECKING:
    import numpy as np

MIN_CALLS = 10
WARMUP_LIMIT = 5.0
"""Seconds after which a warm-up that does not settle ends; the times of two benches where those are shorter."""
WARMUP_LIMIT_FLOOR = 0.5


def bench(
    job: Job, artefact: Artefact, images: Sequence[np.ndarray], tuning: Tuning | None = None
) -> list[Performance]:
    """Measure one artefact at every batch size of the request, each in a session of its own.

    An artefact that is fixed to one batch size is measured at that one alone. `tuning` adds the settings that it found
    best.
    """
    sizes = job.request.batch_sizes
    runtime = job.registry.runtime(artefact.runtime)
    if artefact.batch is not None and sizes != (artefact.batch,):
        if not runtime.fixed_batch:  # else every size has an artefact of its own
            job.progress.note(f"{artefact.id} is fixed to batch {artefact.batch}: measured at that batch size only")
        sizes = (artefact.batch,)
    settings = [Setting(threads=job.threads, streams=job.streams, batch=batch) for batch in sizes]
    if tuning is not None:
        settings += [one for one in (tuning.throughput.best, tuning.latency.best) if one not in settings]
    require_built(job, artefact)
    return [_bench_one(job, artefact, images, setting) for setting in dict.fromkeys(settings)]


def bench_images(job: Job) -> list[np.ndarray]:
    """What the calls are fed: as many real images as the largest batch has, or random values of their shape."""
    import numpy as np

    largest = max(job.request.batch_sizes)
    if job.request.bench_input == "images":
        return [one.array for one in readable(job.data, largest) if one.array is not None]
    preprocess = job.spec.preprocess
    generator = np.random.default_rng(0)
    shape = (largest, len(preprocess.mean), *preprocess.crop)
    return list(generator.standard_normal(shape, dtype=np.float32))


def open_for(job: Job, artefact: Artefact, setting: Setting) -> Session:
    """A session of the artefact at a setting. Raises `BadInput` where it is fixed to another batch size."""
    session = open_artefact(
        job, artefact, check=False, batch=setting.batch, threads=setting.threads, streams=setting.streams
    )
    if session.info.batch not in (None, setting.batch):
        session.close()
        raise BadInput(f"{artefact.path} is fixed to batch {session.info.batch}, not {setting.batch}")
    return session


def _bench_one(job: Job, artefact: Artefact, images: Sequence[np.ndarray], setting: Setting) -> Performance:
    many = f", {setting.streams} streams" if setting.streams > 1 else ""
    many += f", {setting.queued} queued" if setting.queued else ""
    with job.progress.step(f"bench {artefact.id} at batch {setting.batch}{many}"):
        load = machine.load_average()
        started = time.perf_counter()
        session = open_for(job, artefact, setting)
        load_ms = 1000 * (time.perf_counter() - started)
        try:
            own = session.measure(setting.batch)
            if own is not None:
                return performance_of(artefact.id, session.info, setting.batch, own)
            return _measure(job, artefact, session, stack(images, setting.batch), setting.queued, load_ms, load)
        finally:
            session.close()


def _measure(
    job: Job,
    artefact: Artefact,
    session: Session,
    batch: np.ndarray,
    queued: int,
    load_ms: float,
    load: float | None,
) -> Performance:
    def call() -> object:
        return job.hooks.infer(session, batch, job.spec)

    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    callers, seconds = session.info.streams + queued, job.request.bench_seconds
    warm = warm_up(call, max(WARMUP_LIMIT_FLOOR, min(WARMUP_LIMIT, 2 * seconds)), callers=callers)
    found = timed(call, seconds, least=MIN_CALLS, callers=callers)
    return Performance(
        artefact=artefact.id,
        session=session.info,
        batch=len(batch),
        queued=queued,
        input=Message("real preprocessed images") if job.request.bench_input == "images" else Message("random values"),
        load_ms=load_ms,
        first_run_ms=1000 * first,
        warmup_runs=warm.calls + 1,
        calls=found.calls,
        latency=latency_of(found.seconds),
        ms_per_image=1000 * statistics.median(found.seconds) / len(batch),
        images_per_second=len(batch) * found.rate,
        steady=warm.settled and is_steady(found.seconds),
        warmup_spread_percent=100 * warm.spread,
        settled=warm.settled,
        load_average_before=load,
        load_average_after=machine.load_average(),
        peak_memory_bytes=machine.peak_memory_bytes(),
        measured=now(),
    )


def stack(images: Sequence[np.ndarray], batch: int) -> np.ndarray:
    """One batch of images, from the first again where there are too few."""
    import numpy as np

    return np.stack([images[k % len(images)] for k in range(batch)])
