"""choose: of everything that `--precision auto` built, the fastest that is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from porter.machine.clock import now
from porter.pipeline.accuracy_files import write_accuracy_files
from porter.pipeline.job.job import Job
from porter.pipeline.judge.gate import objection
from porter.pipeline.speed.finals import setting_of, time_finalists
from porter.records.artefact import Artefact
from porter.records.choice import Candidate, Choice, FinalTiming, Outcome
from porter.records.message import Message
from porter.records.record import RunRecord
from porter.records.tuning import Setting

BASELINE = "onnxruntime-fp32"
FINALISTS = 3
"""So many of the fastest are timed again, in turns; the baseline with them."""
RIGHT = (Outcome.CHOSEN, Outcome.SLOWER)


def choose_fastest(job: Job, record: RunRecord) -> RunRecord:
    """Of what `auto` tried, the fastest that is right; the task's own files are then about it."""
    record = choose(job, record)
    chosen = record.evaluation(record.choice.chosen) if record.choice is not None else None
    if chosen is not None:
        record = write_accuracy_files(job, record, chosen)
    return replace(record, environment=job.environment)


def choose(job: Job, record: RunRecord) -> RunRecord:
    """Choose among the artefacts by what the record says of them, and time the fastest again; fills `choice`.

    One that fails parity or the gate, that guessing could explain, or that was not scored or timed, is never chosen.
    """
    candidates = [_candidate(record, artefact) for artefact in record.artefacts]
    right = sorted((one for one in candidates if one.outcome in RIGHT), key=_speed, reverse=True)
    fastest = [one.artefact for one in right[:FINALISTS]]
    baseline = next((one.artefact for one in candidates if one.artefact == BASELINE and one.setting is not None), "")
    # What a runtime's own tool measured elsewhere cannot take turns here.
    own_tool = {one.artefact for one in record.performance if one.clock}
    timed = [one.artefact for one in candidates if one.artefact in {*fastest, baseline} - own_tool]
    finals = time_finalists(job, timed, record) if fastest else {}
    candidates = [_with_final(one, finals) for one in candidates]
    chosen = max((one for one in candidates if one.artefact in fastest), key=_speed, default=None)
    chosen_id = "" if chosen is None else chosen.artefact
    candidates = [_placed(one, chosen_id, candidates) for one in candidates]
    untried = [
        Candidate(artefact="", runtime=one.runtime, precision=one.precision, outcome=Outcome.UNTRIED, reason=one.reason)
        for one in record.untried
    ]
    choice = Choice(
        baseline=baseline,
        allowed=record.request.max_drop,
        candidates=(*candidates, *untried),
        chosen=chosen_id,
        reason=_reason(candidates),
        measured=now(),
    )
    job.progress.note(str(choice.reason))
    return replace(record, choice=choice)


def _candidate(record: RunRecord, artefact: Artefact) -> Candidate:
    against = next((c for c in record.comparisons if (c.evaluation, c.against) == (artefact.id, "reference")), None)
    best = max(
        (one for one in record.performance if one.artefact == artefact.id),
        key=lambda one: one.images_per_second,
        default=None,
    )
    against_it = objection(record, artefact)
    if against_it is None and best is None:
        against_it = Outcome.UNMEASURED, Message("not timed")
    outcome, reason = against_it or (Outcome.SLOWER, "")  # until one is chosen
    return Candidate(
        artefact=artefact.id,
        runtime=artefact.runtime,
        precision=artefact.precision,
        outcome=outcome,
        reason=reason,
        metric="" if against is None else against.metric,
        value=None if against is None else against.value,
        drop=None if against is None else against.drop,
        setting=None if best is None else setting_of(best),
        images_per_second=None if best is None else best.images_per_second,
        latency_ms=None if best is None or best.latency is None else best.latency.median_ms,
    )


def _with_final(one: Candidate, finals: Mapping[str, tuple[Setting, FinalTiming]]) -> Candidate:
    if one.artefact not in finals:
        return one
    setting, final = finals[one.artefact]
    return replace(one, setting=setting, final=final)


def _speed(one: Candidate) -> float:
    """Images per second, of the turns where it had some."""
    return one.final.images_per_second if one.final is not None else one.images_per_second or 0.0


def _placed(one: Candidate, chosen: str, candidates: Sequence[Candidate]) -> Candidate:
    """With its ratio to the baseline, of timings taken in the same way, and its outcome."""
    base = next((other for other in candidates if other.artefact == BASELINE), None)
    ratio = None
    if base is not None and one.final is not None and base.final is not None:
        ratio = one.final.images_per_second / base.final.images_per_second
    elif base is not None and one.images_per_second and base.images_per_second:
        ratio = one.images_per_second / base.images_per_second
    return replace(one, ratio=ratio, outcome=Outcome.CHOSEN if one.artefact == chosen else one.outcome)


def _reason(candidates: Sequence[Candidate]) -> Message:
    winner = next((one for one in candidates if one.outcome is Outcome.CHOSEN), None)
    if winner is None:
        return Message("none of {count} candidates passes: nothing was chosen", count=len(candidates))
    others = [one for one in candidates if one.outcome is Outcome.SLOWER]
    if not others:
        return Message(
            "`{chosen}` is the only candidate that passes ({count} tried): {speed:.2f} images/s",
            chosen=winner.artefact,
            count=len(candidates),
            speed=_speed(winner),
        )
    return Message(
        "`{chosen}` is the fastest of {right} candidates that pass ({count} tried): {speed:.2f} "
        "images/s; next {next:.2f}",
        chosen=winner.artefact,
        right=len(others) + 1,
        count=len(candidates),
        speed=_speed(winner),
        next=max(map(_speed, others)),
    )
