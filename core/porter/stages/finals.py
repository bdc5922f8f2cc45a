"""finals: sessions timed in turns, so that whatever the machine does meanwhile happens to all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial

from porter.records.choice import Candidate, FinalTiming
from porter.records.run import RunRecord
from porter.records.tuning import Setting
from porter.stages.bench import bench_images, open_for, stack
from porter.stages.job import Job
from porter.stages.timing import Timed, timed

ROUNDS = 5
MIN_SECONDS = 0.05
"""Of one turn; a third of it before to warm up."""

Call = Callable[[], object]


def time_finalists(job: Job, finalists: Sequence[Candidate], record: RunRecord) -> dict[str, FinalTiming]:
    """Time each at its fastest setting, in `ROUNDS` turns whose order rotates; by artefact.

    `bench` measured one after the other, minutes apart: on a shared machine that alone can make one look faster.
    """
    artefacts = {artefact.id: artefact for artefact in record.artefacts}
    settings = {one.artefact: one.setting for one in finalists if one.setting is not None}
    images = bench_images(job)
    calls: dict[str, Call] = {}
    with ExitStack() as sessions:
        for name, setting in settings.items():
            session = sessions.enter_context(closing(open_for(job, artefacts[name], setting)))
            batch = stack(images, setting.batch)
            calls[name] = partial(job.hooks.infer, session, batch, job.spec)
        with job.progress.step("time the finalists in turns", ROUNDS) as advance:
            turns = _turns(calls, settings, max(job.request.bench_seconds / ROUNDS, MIN_SECONDS), advance)
    return {name: _summary(found, settings[name].batch) for name, found in turns.items()}


def _turns(
    calls: dict[str, Call], settings: dict[str, Setting], seconds: float, advance: Callable[[int], None]
) -> dict[str, list[Timed]]:
    names = list(calls)
    found: dict[str, list[Timed]] = {name: [] for name in names}
    for turn in range(ROUNDS):
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            timed(calls[name], seconds / 3, streams=settings[name].streams)
            found[name].append(timed(calls[name], seconds, streams=settings[name].streams))
        advance(1)
    return found


def _summary(turns: Sequence[Timed], batch: int) -> FinalTiming:
    rates = [batch * turn.calls / turn.wall for turn in turns]
    return FinalTiming(
        rounds=len(turns),
        calls=sum(turn.calls for turn in turns),
        images_per_second=statistics.median(rates),
        lowest=min(rates),
        highest=max(rates),
        median_ms=1000 * statistics.median(one for turn in turns for one in turn.seconds),
    )
