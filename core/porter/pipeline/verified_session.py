"""What a session gets wrong beside its arithmetic, as far as verify can tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from porter.contracts.rows import Rows, repeated, single
from porter.contracts.runtime import Session
from porter.errors import PorterError, TargetFailed
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.pipeline.judge.tolerance import Bound
from porter.pipeline.session_checks.calls import session_findings, swallowed
from porter.pipeline.session_checks.check_names import OUTPUTS
from porter.pipeline.session_checks.rows_alike import rows_off
from porter.pipeline.session_checks.wrong_rows import named
from porter.records.session_finding import SessionFinding

IMAGES = 3
"""Images that the calls of a session are held against each other on."""


def session_faults(job: Job, session: Session, images: Sequence[Prepared], bound: Bound) -> tuple[SessionFinding, ...]:
    """The checks that need no reference. Raises `TargetFailed` where the runtime dies or hangs over the images.

    None of a session whose calls start a program each: such calls share nothing, and each takes seconds.
    """
    if session.least_rows > 1:
        return ()
    fed = [single(one.arrays) for one in images if one.arrays][:IMAGES]
    if len(fed) == 1:  # the same in a mirror: calls must not be told apart by one input alone
        fed.append({name: values[..., ::-1].copy() for name, values in fed[0].items()})
    run = partial(infer, job, session)
    try:
        found = session_findings(run, fed, bound.tolerance, callers=session.info.streams)
        found += tuple(swallowed(session.run, repeated(fed[0], 0, session.info.batch or 1)))
    except TargetFailed:
        raise
    except PorterError:  # a batch that it refuses is among the outputs that were compared
        return ()
    return found


def wrong_rows(wanted: Rows, got: Rows, bound: Bound, before: Rows | None) -> tuple[SessionFinding, ...]:
    """What the rows of one batch that are beyond the tolerance look like; an estimate is too wide to tell."""
    off = rows_off(wanted, got, bound.tolerance)
    if not (off.any() and bound.binding):
        return ()
    told = named(wanted, got, off, bound.tolerance, before)
    return () if told.check == OUTPUTS else (told,)


def distinct_checks(findings: Iterable[SessionFinding]) -> tuple[SessionFinding, ...]:
    """Each check once, what it found first."""
    found: dict[str, SessionFinding] = {}
    for one in findings:
        found.setdefault(one.check, one)
    return tuple(found.values())
