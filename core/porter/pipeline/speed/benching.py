"""benching: the speed of every artefact into the record, each saved as soon as it is measured."""

from __future__ import annotations

from dataclasses import replace

from porter.pipeline.failing import failed, faults, retried
from porter.pipeline.job.job import Job
from porter.pipeline.judge.speed_marks import multiplied
from porter.pipeline.judge.tolerance import bound_of
from porter.pipeline.listing import listed
from porter.pipeline.saving import save
from porter.pipeline.speed.bench import bench, bench_images
from porter.pipeline.speed.graph_arithmetic import operations_of, with_arithmetic
from porter.pipeline.speed.timed_outputs import Fed
from porter.pipeline.speed.tune import TRIAL_SECONDS, tune
from porter.records.record import RunRecord
from porter.records.unfinished import Failing
from porter.runfolder.sections import clear


def measure_all(job: Job, record: RunRecord) -> RunRecord:
    """Measure what is not there yet; fills `performance` and `tunings`, and `unfinished` with the artefacts whose
    runtime fails."""
    known = {one.artefact for one in record.performance}
    missing = [one for one in record.scorable if one.id not in known]
    kept = known.intersection(one.id for one in record.scorable)
    record = replace(
        record,
        performance=tuple(one for one in record.performance if one.artefact in kept),
        tunings=tuple(one for one in record.tunings if one.artefact in kept),
    )
    if not missing:
        return record
    record = clear(record, ["choice"])
    request, images = job.request, bench_images(job)
    operations = operations_of(job, record)
    fed = Fed(job, images)
    seconds = min(TRIAL_SECONDS, request.bench_seconds)
    for artefact in missing:
        try:
            tunings = (tune(job, artefact, images, seconds=seconds),) if request.tune or request.is_auto else ()
            found = bench(job, artefact, fed, bound_of(request, job.precision(artefact.precision), record), *tunings)
        except faults(record, scored=True) as error:
            record = save(job, failed(record, Failing.BENCH, artefact.id, error))
            continue
        record = replace(
            record,
            environment=job.environment,  # of the figures just measured
            performance=(*record.performance, *with_arithmetic(job, multiplied(found), operations)),
            tunings=(*record.tunings, *tunings),
        )
        record = save(job, record)
    return record


def measure_anew(job: Job, record: RunRecord) -> RunRecord:
    """Measure everything, whatever the record has."""
    return measure_all(job, replace(retried(record, Failing), performance=(), tunings=()))


def listed_to_feed(job: Job, record: RunRecord) -> RunRecord:
    """The record with its images, where calls are fed real ones."""
    return listed(job, record) if job.request.bench_input == "images" else record
