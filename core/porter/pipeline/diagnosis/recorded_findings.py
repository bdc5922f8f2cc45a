"""What the run itself found in the sessions that it scored and measured."""

from __future__ import annotations

from porter.diagnose.found import Found, finding, together
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.judge.covered import findings_of
from porter.pipeline.session_checks.check_names import BATCH_SIZE, OUTPUTS
from porter.records.artefact import Artefact
from porter.records.diagnosed import Surety
from porter.records.message import Message


def with_recorded(conditions: Conditions, artefact: Artefact, tried: Found) -> Found:
    """What a trial of the artefact's session found, and what the run's own checks did and the trial did not.

    The trial called the same images in several ways and stands first, unless it says no more than the batch size.
    """
    again = {one.cause for one in tried.findings}
    told = again - {f"runtime {BATCH_SIZE}"}
    recorded = together(
        finding(
            f"runtime {one.check}",
            Message("runtime: {artefact}: {title}: {detail}", artefact=artefact.id, title=one.title, detail=one.detail),
            conditions.command("verify"),
            # That outputs differ is no cause; which one it is, other trials say.
            Surety.HINT if one.check == OUTPUTS else Surety.MEASURED if told else Surety.LOCATED,
        )
        for one in findings_of(conditions.record, artefact.id)
        if one.fails and f"runtime {one.check}" not in again
    )
    return together([recorded, tried])
