"""finals: sessions timed in turns, so that whatever the machine does meanwhile happens to all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from porter.contracts.runtime import Session
from porter.records.choice import Candidate, FinalTiming
from porter.records.run import RunRecord
from porter.stages.bench import bench_images
from porter.stages.job import Job

if TYPE_CHECKING:
    import numpy as np

ROUNDS = 5
MIN_SECONDS = 0.05
"""Of one turn."""
WARMUP_CALLS = 3


def time_finalists(job: Job, finalists: Sequence[Candidate], record: RunRecord) -> dict[str, FinalTiming]:
    """Time each at its fastest setting, in `ROUNDS` turns whose order rotates; by artefact.

    `bench` measured one after the other, minutes apart: on a shared machine that alone can make one look faster.
    """
    artefacts = {artefact.id: artefact for artefact in record.artefacts}
    images = bench_images(job)
    calls: dict[str, Callable[[], object]] = {}
    sizes: dict[str, int] = {}
    with ExitStack() as sessions:
        for one in finalists:
            assert one.setting is not None
            size = one.setting.batch
            session = sessions.enter_context(closing(job.open(artefacts[one.artefact], batch=size)))
            calls[one.artefact] = _call(job, session, [images[k % len(images)] for k in range(size)])
            sizes[one.artefact] = size
        with job.progress.step("time the finalists in turns", ROUNDS) as advance:
            return _timed(calls, sizes, job.request.bench_seconds / ROUNDS, advance)


def _timed(
    calls: dict[str, Callable[[], object]], sizes: dict[str, int], seconds: float, advance: Callable[[int], None]
) -> dict[str, FinalTiming]:
    names = list(calls)
    times: dict[str, list[list[float]]] = {name: [] for name in names}
    for turn in range(ROUNDS):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            for _ in range(WARMUP_CALLS):
                calls[name]()
            times[name].append(_turn(calls[name], max(seconds, MIN_SECONDS)))
        advance(1)
    return {name: _summary(times[name], sizes[name]) for name in names}


def _turn(call: Callable[[], object], seconds: float) -> list[float]:
    found: list[float] = []
    begun = time.perf_counter()
    while not found or time.perf_counter() - begun < seconds:
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return found


def _summary(turns: Sequence[Sequence[float]], batch: int) -> FinalTiming:
    rates = [batch * len(turn) / sum(turn) for turn in turns]
    every = [one for turn in turns for one in turn]
    return FinalTiming(
        rounds=len(turns),
        calls=len(every),
        images_per_second=statistics.median(rates),
        lowest=min(rates),
        highest=max(rates),
        median_ms=1000 * statistics.median(every),
    )


def _call(job: Job, session: Session, images: Sequence[np.ndarray]) -> Callable[[], object]:
    import numpy as np

    batch = np.stack(images)
    return lambda: job.hooks.infer(session, batch, job.spec)
