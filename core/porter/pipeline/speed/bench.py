"""bench: the speed of pure inference, at each batch size, on real preprocessed images or random values."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from porter.contracts.rows import taken
from porter.contracts.runtime import Session
from porter.errors import BadInput
from porter.machine import host as machine
from porter.machine.clock import now
from porter.machine.work import meter
from porter.pipeline.evaluation.listed import divided
from porter.pipeline.evaluation.prepare import readable, row_shapes
from porter.pipeline.job.job import Job
from porter.pipeline.job.opening import open_artefact, require_built
from porter.pipeline.judge.speed_marks import Timing, marks_of
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.speed.by_own_tool import performance_of
from porter.pipeline.speed.call_levels import two_levels
from porter.pipeline.speed.cycle import Cycle, Samples, batches_of
from porter.pipeline.speed.timed_outputs import Fed, TimedOutputs
from porter.pipeline.speed.timing import WINDOW_SECONDS, is_steady, latency_of, median_of, timed, warm_up
from porter.records.artefact import Artefact
from porter.records.message import Message
from porter.records.performance import Performance
from porter.records.tuning import Setting, Tuning

if TYPE_CHECKING:
    import numpy as np

MIN_CALLS = 10
WARMUP_LIMIT = 5.0
"""Seconds after which a warm-up that does not settle ends; the times of two benches where those are shorter."""
_REAL, _RANDOM = Message("real preprocessed images"), Message("random values")


def bench(job: Job, artefact: Artefact, fed: Fed, bound: Bound, tuning: Tuning | None = None) -> list[Performance]:
    """Measure one artefact at every batch size of the request, each in a session of its own.

    What the calls return is compared with the reference's outputs, by `bound`. An artefact that is fixed to one batch
    size is measured at that one alone. `tuning` adds the settings that it found best.
    """
    sizes = job.request.batch_sizes
    runtime = job.registry.runtime(artefact.runtime)
    if artefact.batch is not None and sizes != (artefact.batch,):
        if not runtime.fixed_batch:  # else every size has an artefact of its own
            job.progress.note(f"{artefact.id} has fixed batch size {artefact.batch}; measured at that batch size only")
        sizes = (artefact.batch,)
    settings = [Setting(threads=job.threads, streams=job.streams, batch=batch) for batch in sizes]
    if tuning is not None:
        settings += [one for one in (tuning.throughput.best, tuning.latency.best) if one not in settings]
    require_built(job, artefact)
    return [_bench_one(artefact, fed, bound, setting) for setting in dict.fromkeys(settings)]


def bench_images(job: Job) -> list[dict[str, np.ndarray]]:
    """What the calls are fed: one more real sample than the largest batch has, or random values of their shape. Where
    sizes are free, those of the commonest size: all rows of a batch have one."""
    import numpy as np

    largest = max(job.request.batch_sizes) + 1  # so that two batches differ
    shapes = row_shapes(job.spec)
    if job.request.bench_input == "images" or len(shapes) < len(job.spec.inputs):
        return _of_one_size([one.arrays for one in readable(job.data, largest)])
    generator = np.random.default_rng(0)
    return [
        {
            name: generator.standard_normal(shape, dtype=np.float32).astype(dtype)
            if np.dtype(dtype).kind == "f"
            else generator.integers(0, 2, shape).astype(dtype)
            for name, (shape, dtype) in shapes.items()
        }
        for _ in range(largest)
    ]


def _of_one_size(samples: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    sizes = [tuple(values.shape for values in one.values()) for one in samples]
    commonest = Counter(sizes).most_common(1)[0][0]
    return [one for one, size in zip(samples, sizes, strict=True) if size == commonest]


def _fed_words(fed: Fed) -> Message:
    """What the calls are fed, in words."""
    if fed.job.request.bench_input != "images":
        return _RANDOM
    if len(row_shapes(fed.job.spec)) == len(fed.job.spec.inputs):
        return _REAL
    shapes = ", ".join("×".join(map(str, values.shape)) for values in fed.images[0].values())
    return Message("real preprocessed samples of {shapes}", shapes=shapes)


def open_for(job: Job, artefact: Artefact, setting: Setting) -> Session:
    """A session of the artefact at a setting. Raises `BadInput` where it is fixed to another batch size."""
    session = open_artefact(
        job, artefact, check=False, batch=setting.batch, threads=setting.threads, streams=setting.streams
    )
    if session.info.batch not in (None, setting.batch):
        session.close()
        raise BadInput(f"{artefact.path} is fixed to batch {session.info.batch}, not {setting.batch}")
    return session


def _bench_one(artefact: Artefact, fed: Fed, bound: Bound, setting: Setting) -> Performance:
    job = fed.job
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
            callers = session.info.streams + setting.queued
            outputs = TimedOutputs(fed, session, setting.batch, callers, bound)
            return _measure(fed, artefact, session, setting, outputs, load_ms, load)
        finally:
            session.close()


def _measure(
    fed: Fed,
    artefact: Artefact,
    session: Session,
    setting: Setting,
    outputs: TimedOutputs,
    load_ms: float,
    load: float | None,
) -> Performance:
    job = fed.job
    call = cycling(job, session, fed.images, setting.batch)
    started = time.perf_counter()
    call()
    first = time.perf_counter() - started
    call()  # the second batch, before anything else makes the session see it
    outputs.before(divided(call.last, job.spec, setting.batch))
    callers, seconds = session.info.streams + setting.queued, job.request.bench_seconds
    limit, window = min(WARMUP_LIMIT, 2 * seconds), min(WINDOW_SECONDS, seconds)
    warm = warm_up(call, limit, callers=callers, window=window)
    ended = meter()
    found = timed(call, seconds, least=MIN_CALLS, callers=callers)
    work = ended()
    if work.waited is not None:
        work = replace(work, waited=work.waited + found.waited)
    median, rate, levels = median_of(found.seconds), setting.batch * found.rate, two_levels(found.seconds)
    return _checked(
        fed,
        artefact,
        call,
        Timing(first=first, median=median, callers=callers, levels=levels, work=work),
        Performance(
            artefact=artefact.id,
            session=session.info,
            batch=setting.batch,
            queued=setting.queued,
            input=_fed_words(fed),
            load_ms=load_ms,
            first_run_ms=1000 * first,
            warmup_runs=warm.calls + 2,
            calls=found.calls,
            latency=latency_of(found.seconds),
            ms_per_image=1000 / rate,
            images_per_second=rate,
            steady=warm.settled and is_steady(found.seconds),
            levels=levels,
            processors=work.processors,
            warmup_spread_percent=100 * warm.spread,
            settled=warm.settled,
            load_average_before=load,
            load_average_after=machine.load_average(),
            peak_memory_mib=machine.peak_memory_mib(),
            measured=now(),
            check=outputs.after(divided(call.last, job.spec, setting.batch)),
        ),
    )


def _checked(fed: Fed, artefact: Artefact, call: Cycle, timing: Timing, measured: Performance) -> Performance:
    """The measurement with what speaks against it."""
    batch = measured.batch
    coarse = fed.job.precision(artefact.precision).quantised  # a small network may then have few outputs altogether
    wanted = [taken(fed.rows, fed.places(batch, start)) for start in (0, 1)]
    timing = replace(
        timing,
        unseen=call.remembers(timing.median),
        is_moved=call.is_moved(),
        is_deaf=not coarse and len(fed.images) > 1 and call.is_deaf(wanted),
    )
    return replace(measured, marks=marks_of(timing, measured.session))


def cycling(job: Job, session: Session, images: Samples, batch: int) -> Cycle:
    """A call of the session that takes the next of two batches each time."""
    return Cycle(lambda rows: job.hooks.infer(session, rows, job.spec), batches_of(images, batch))
