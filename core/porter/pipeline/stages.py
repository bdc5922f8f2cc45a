"""The stages of a run: one list, of one shape, for `porter run` and for the commands that run one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from porter.errors import ExitCode
from porter.pipeline.build import as_they_are, built
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.diagnosis.diagnosing import diagnosed
from porter.pipeline.evaluation.evaluating import infer_all, preprocess_all, score_all
from porter.pipeline.export import load_and_export
from porter.pipeline.job.job import Job
from porter.pipeline.judge.verdicts import exit_code
from porter.pipeline.kits import write_kits
from porter.pipeline.listing import listed
from porter.pipeline.load import exported
from porter.pipeline.precision.choose import choose_fastest
from porter.pipeline.speed.benching import listed_to_feed, measure_all, measure_anew
from porter.pipeline.verify import verify_all
from porter.records.record import RunRecord
from porter.records.unfinished import Failing

Step = Callable[[Job, RunRecord], RunRecord]
"""Reads the record and files, and answers with a record that says more; writes files, none that another step wrote."""
Asked = Callable[[Job, RunRecord], bool]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: what it is called, what it needs, whether it still holds, what it does, what comes of it."""

    name: str
    """As the command is called that runs it alone, where there is one."""
    do: Step
    """What it does in a run."""
    needs: tuple[Step, ...] = ()
    """What must be there before; each of them does nothing where it is."""
    holds: Asked = lambda _job, _record: False
    """Whether a run leaves it out, since the record has what it makes."""
    wanted: Asked = lambda _job, _record: True
    """Whether a run comes to it."""
    alone: Step | None = None
    """What it does as a command of its own, whatever the record has; None: the same."""
    code: Callable[[RunRecord], ExitCode] = exit_code
    """The exit code of that command."""
    saves: bool = False
    """Whether it saves the record itself, and writes documents from it."""


def _goes_on(job: Job, record: RunRecord) -> bool:
    """Whether anything is scored and measured: nothing that fails parity is, but `auto` leaves only that out."""
    return all(one.passed for one in record.parity) or (job.request.is_auto and bool(record.scorable))


def _parity_code(record: RunRecord) -> ExitCode:
    broken = any(one.stage in (Failing.BUILD, Failing.VERIFY) for one in record.unfinished)
    whole = all(one.passed for one in record.parity) and not broken
    return ExitCode.OK if whole else ExitCode.VERDICT_FAILED


def _diagnosis_code(record: RunRecord) -> ExitCode:
    sound = record.diagnosis is not None and record.diagnosis.sound
    return exit_code(record) if sound else ExitCode.VERDICT_FAILED


WITH_ARTEFACTS = (exported, listed, built)

STAGES = (
    Stage(name="export", do=load_and_export, holds=lambda _job, record: record.export is not None),
    Stage(name="list", do=listed),
    Stage(
        name="verify",
        do=verify_all,
        needs=(*WITH_ARTEFACTS, as_they_are),
        holds=lambda _job, record: bool(record.parity and record.preprocessing),
        code=_parity_code,
    ),
    Stage(
        name="kits",
        do=write_kits,
        wanted=lambda job, record: _goes_on(job, record) and bool(job.plan.elsewhere),
        holds=lambda _job, record: bool(record.kits),
    ),
    Stage(
        name="evaluate",
        do=score_all,
        needs=WITH_ARTEFACTS,
        wanted=_goes_on,
        holds=lambda _job, record: bool(record.evaluations),
        alone=partial(score_all, from_files=True),
    ),
    Stage(
        name="bench",
        do=measure_all,
        needs=(exported, listed_to_feed, built),
        wanted=_goes_on,
        alone=measure_anew,
    ),
    Stage(
        name="choose",
        do=choose_fastest,
        wanted=lambda job, record: _goes_on(job, record) and job.request.is_auto,
        holds=lambda _job, record: record.choice is not None,
    ),
    Stage(name="deliver", do=deliver_documents, saves=True),
)
"""Those of a whole run, in order."""

APART = (
    Stage(name="preprocess", do=preprocess_all, needs=(listed,)),
    Stage(name="infer", do=infer_all, needs=WITH_ARTEFACTS),
    Stage(name="diagnose", do=diagnosed, needs=WITH_ARTEFACTS, code=_diagnosis_code, saves=True),
)
"""Those that a whole run has no use for, each a command of its own."""

NAMED = {stage.name: stage for stage in (*STAGES, *APART)}
