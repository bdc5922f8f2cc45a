"""finals: sessions timed in turns, so that whatever the machine does meanwhile happens to all of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing

from porter.pipeline.job.job import Job
from porter.pipeline.speed.bench import bench_images, cycling, open_for
from porter.pipeline.speed.timing import Timed, in_turns
from porter.records.choice import FinalTiming
from porter.records.performance import Performance
from porter.records.record import RunRecord
from porter.records.tuning import Setting

ROUNDS = 5
MIN_SECONDS = 0.05
"""Of one turn."""
SETTINGS = 3
"""Of each artefact."""

Call = Callable[[], object]
Entry = tuple[str, Setting]


def time_finalists(job: Job, finalists: Sequence[str], record: RunRecord) -> dict[str, tuple[Setting, FinalTiming]]:
    """The fastest setting of each artefact, and its timing in `ROUNDS` turns whose order rotates.

    `bench` measured one after the other, minutes apart: on a shared machine that alone can make one look faster. So
    each takes part at the `SETTINGS` that bench found fastest.
    """
    artefacts = {artefact.id: artefact for artefact in record.artefacts}
    entries = [(name, setting) for name in finalists for setting in _fastest(record, name)]
    images = bench_images(job)
    calls: dict[Entry, tuple[Call, int]] = {}
    with ExitStack() as sessions:
        for name, setting in entries:
            session = sessions.enter_context(closing(open_for(job, artefacts[name], setting)))
            call = cycling(job, session, images, setting.batch)
            calls[name, setting] = call, setting.callers
        with job.progress.step("time the finalists alternately", ROUNDS, "rounds") as advance:
            seconds = max(job.request.bench_seconds / ROUNDS, MIN_SECONDS)
            turns = in_turns(calls, ROUNDS, seconds, advance=advance)
    timings = {entry: _summary(found, entry[1].batch) for entry, found in turns.items()}
    best: dict[str, tuple[Setting, FinalTiming]] = {}
    for (name, setting), timing in timings.items():
        if name not in best or timing.images_per_second > best[name][1].images_per_second:
            best[name] = (setting, timing)
    return best


def setting_of(measured: Performance) -> Setting:
    """How a session was opened and fed when it was measured."""
    session = measured.session
    return Setting(threads=session.threads, streams=session.streams, batch=measured.batch, queued=measured.queued)


def _fastest(record: RunRecord, name: str) -> list[Setting]:
    found = [one for one in record.performance if one.artefact == name]
    found.sort(key=lambda one: -one.images_per_second)
    return list(dict.fromkeys(setting_of(one) for one in found))[:SETTINGS]


def _summary(turns: Sequence[Timed], batch: int) -> FinalTiming:
    rates = [batch * turn.rate for turn in turns]
    return FinalTiming(
        rounds=len(turns),
        calls=sum(turn.calls for turn in turns),
        images_per_second=statistics.median(rates),
        lowest=min(rates),
        highest=max(rates),
        median_ms=1000 * statistics.median(one for turn in turns for one in turn.seconds),
    )
