"""failing: a target whose runtime fails, fails alone. It is left out from there on, and the others are delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from porter.errors import BadInput, Missing, PluginError, PorterError, TargetFailed
from porter.records.record import RunRecord
from porter.records.unfinished import Failing, Unfinished
from porter.runfolder.sections import clear, stale_after

FAULTS = (TargetFailed, PluginError)
"""What ends a target and not the run: it is no fault of the user's, who can mend nothing before the rest is done."""
REFUSALS = (*FAULTS, BadInput, Missing)
"""What ends a target and not the run where there are others: a runtime that cannot take this model, beside one that
can."""
MADE_AGAIN = {
    Failing.BUILD: ("artefacts",),
    Failing.VERIFY: ("parity", "evaluations"),
    Failing.EVALUATE: ("evaluations",),
    Failing.BENCH: (),
}
"""What a further run makes again where a target failed: other targets' answers are in their journals, and the speed
that is there stays."""


def faults(record: RunRecord, *, scored: bool = False) -> tuple[type[PorterError], ...]:
    """The errors by which an artefact of the record fails alone: every one with others beside it; where it was
    `scored`, what its runtime refuses as well, since there is an accuracy to deliver."""
    if len(record.artefacts) + len(record.unfinished) > 1:
        return REFUSALS
    return (*FAULTS, BadInput) if scored and record.evaluations else FAULTS


def failed(record: RunRecord, stage: Failing, artefact: str, error: Exception) -> RunRecord:
    """The record with one more target that failed."""
    one = Unfinished(artefact=artefact, stage=stage, reason=str(error))
    return replace(record, unfinished=(*record.unfinished, one))


def retried(record: RunRecord, stages: Iterable[Failing]) -> RunRecord:
    """The record without what failed in these stages, which are done again now."""
    again = set(stages)
    return replace(record, unfinished=tuple(one for one in record.unfinished if one.stage not in again))


def to_finish(record: RunRecord) -> RunRecord:
    """The record as a run goes on with it: whatever failed is tried again."""
    stale = [section for one in record.unfinished for section in MADE_AGAIN[one.stage]]
    return replace(clear(record, stale_after(stale)) if stale else record, unfinished=())
