"""tune: the threads, streams, batch and queue that run an artefact fastest on this machine, found by a short search."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from porter.errors import BadInput, Missing
from porter.machine.clock import now
from porter.pipeline.job.as_asked import NotAsAsked
from porter.pipeline.job.job import Job
from porter.pipeline.speed.bench import cycling, open_for
from porter.pipeline.speed.cycle import Samples
from porter.pipeline.speed.timing import Timed, in_turns, timed
from porter.records.artefact import Artefact
from porter.records.tuning import Gain, Setting, Trial, Tuning

if TYPE_CHECKING:
    pass

TRIAL_SECONDS = 0.4
"""Timed calls of one trial; a third of it before them to warm up."""
TURNS = 5
"""How often the best setting and the plain one are measured in turns."""
FINALISTS = 3
"""So many of the fastest settings are measured again, in turns: one trial alone can be a lucky one."""
QUEUE_GAIN_PERCENT = 0.5
"""What one call in line for each stream must gain at least to be worth it: it doubles the latency."""
QUEUE_TURNS = 15
"""So small a gain takes more turns to see."""
QUEUE_BELOW_MS = 100.0
"""Median of a call: what a stream waits for Python is well below a millisecond, no share of a longer one."""


def tune(job: Job, artefact: Artefact, images: Samples, *, seconds: float = TRIAL_SECONDS) -> Tuning:
    """Try settings, choose the best for throughput and for latency, and measure what each gains.

    Throughput is searched over streams and batch sizes at all threads, and at the fastest of these with calls
    in line; latency over threads at the smallest batch.
    `images` are the arrays of one sample each. Raises `BadInput` where not one setting runs.
    """
    started = time.perf_counter()
    with job.progress.step(f"tune {artefact.id}"):
        trials = [_try(job, artefact, images, setting, seconds) for setting in _settings(job, artefact)]
        ran = [trial for trial in trials if not trial.problem]
        if not ran:
            raise BadInput(f"{artefact.id}: no setting of threads and streams runs: {trials[0].problem}")
        ranked = sorted(ran, key=lambda trial: trial.images_per_second or 0.0, reverse=True)
        fastest = _fastest(job, artefact, images, [trial.setting for trial in ranked[:FINALISTS]], seconds)
        if job.registry.runtime(artefact.runtime).queues and _is_short(ran, fastest):
            queued = replace(fastest, queued=fastest.streams)
            trials.append(_try(job, artefact, images, queued, seconds))
            if not trials[-1].problem and _gains(job, artefact, images, queued, fastest, seconds):
                fastest = queued
        smallest = [t for t in ran if t.setting.streams == 1 and t.setting.batch == ran[0].setting.batch] or ran
        quickest = min(smallest, key=lambda trial: trial.median_ms or float("inf")).setting
        throughput = _gain(job, artefact, images, fastest, _plain(job, ran, fastest.batch), seconds, _rate)
        latency = _gain(job, artefact, images, quickest, _plain(job, ran, quickest.batch), seconds, _speed)
    return Tuning(
        artefact=artefact.id,
        trials=tuple(trials),
        throughput=throughput,
        latency=latency,
        seconds=time.perf_counter() - started,
        measured=now(),
    )


def _settings(job: Job, artefact: Artefact) -> list[Setting]:
    """What is tried, the plain setting of the smallest batch first."""
    wanted = sorted(job.request.batch_sizes) if artefact.batch is None else [artefact.batch]
    places = sorted({0, (len(wanted) - 1) // 2, len(wanted) - 1})
    counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < job.threads] + [job.threads]
    small = wanted[0]
    found = [Setting(threads=count, streams=1, batch=small) for count in reversed(counts)]
    found += [
        Setting(threads=job.threads, streams=streams, batch=wanted[place]) for place in places for streams in counts
    ]
    return list(dict.fromkeys(found))


def _plain(job: Job, ran: Sequence[Trial], batch: int) -> Setting:
    """What would run without a search: all threads, one stream, at the same batch size."""
    plain = Setting(threads=job.threads, streams=1, batch=batch)
    return plain if any(trial.setting == plain for trial in ran) else ran[0].setting


def _try(job: Job, artefact: Artefact, images: Samples, setting: Setting, seconds: float) -> Trial:
    try:
        with closing(open_for(job, artefact, setting)) as session:
            call = cycling(job, session, images, setting.batch)
            timed(call, seconds / 3, callers=setting.callers)
            return _trial(setting, timed(call, seconds, least=3, callers=setting.callers))
    except (BadInput, Missing, NotAsAsked) as error:
        return Trial(setting=setting, calls=0, median_ms=None, images_per_second=None, problem=str(error))


def _trial(setting: Setting, found: Timed) -> Trial:
    return Trial(
        setting=setting,
        calls=found.calls,
        median_ms=1000 * statistics.median(found.seconds),
        images_per_second=setting.batch * found.rate,
    )


Value = Callable[[Trial], float]


def _rate(trial: Trial) -> float:
    assert trial.images_per_second is not None
    return trial.images_per_second


def _speed(trial: Trial) -> float:
    assert trial.median_ms is not None
    return trial.median_ms


def _fastest(
    job: Job,
    artefact: Artefact,
    images: Samples,
    settings: Sequence[Setting],
    seconds: float,
) -> Setting:
    """The setting of the greatest median rate over `TURNS` turns, all sessions open all the while."""
    rates = {
        setting: statistics.median(map(_rate, turns))
        for setting, turns in _in_turns(job, artefact, images, settings, seconds).items()
    }
    return max(rates, key=lambda setting: rates[setting])


def _gains(
    job: Job,
    artefact: Artefact,
    images: Samples,
    queued: Setting,
    plain: Setting,
    seconds: float,
) -> bool:
    """Whether calls in line are worth the longer latency."""
    gain = _gain(job, artefact, images, queued, plain, seconds, _rate, QUEUE_TURNS)
    return gain.gain_percent >= QUEUE_GAIN_PERCENT


def _is_short(ran: Sequence[Trial], setting: Setting) -> bool:
    return any(one.setting == setting and _speed(one) <= QUEUE_BELOW_MS for one in ran)


def _in_turns(
    job: Job,
    artefact: Artefact,
    images: Samples,
    settings: Sequence[Setting],
    seconds: float,
    count: int = TURNS,
) -> dict[Setting, list[Trial]]:
    """Trials of each setting, one a turn."""
    with ExitStack() as sessions:
        calls = {}
        for setting in settings:
            session = sessions.enter_context(closing(open_for(job, artefact, setting)))
            calls[setting] = cycling(job, session, images, setting.batch), setting.callers
        turns = in_turns(calls, count, seconds / 2, least=2)
    return {setting: [_trial(setting, one) for one in found] for setting, found in turns.items()}


def _gain(
    job: Job,
    artefact: Artefact,
    images: Samples,
    best: Setting,
    plain: Setting,
    seconds: float,
    value: Value,
    count: int = TURNS,
) -> Gain:
    """Best and plain setting measured in turns."""
    settings = [best] if best == plain else [best, plain]
    turns = _in_turns(job, artefact, images, settings, seconds, count)
    values = {setting: [value(trial) for trial in trials] for setting, trials in turns.items()}
    pairs = list(zip(values[best], values[plain], strict=True))
    gains = [100 * ((b / p if value is _rate else p / b) - 1) for b, p in pairs]
    return Gain(
        best=best,
        plain=plain,
        best_value=statistics.median(values[best]),
        plain_value=statistics.median(values[plain]),
        gain_percent=statistics.median(gains),
        turns=count,
        least_gain_percent=min(gains),
        most_gain_percent=max(gains),
    )
