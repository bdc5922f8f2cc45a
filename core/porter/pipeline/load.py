"""load: the checkpoint against its digests, then into the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from porter.errors import BadInput
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Job
from porter.records.record import InputFile, RunRecord


def load(job: Job, record: RunRecord) -> RunRecord:
    """Load the model; fills `model`, `inputs`, `plugins`, `load`."""
    with job.progress.step("load"):
        report = job.loaded.report
    if not report.safe:
        job.progress.note("the checkpoint was unpickled without restriction (--trust-checkpoint)")
    if len(report.weights_offered) > 1:
        offered = ", ".join(report.weights_offered)
        job.progress.note(f"the checkpoint holds {offered}; {report.weights!r} is used (--weights chooses)")
    if report.skipped:
        some = ", ".join(report.skipped[:3])
        job.progress.note(f"{len(report.skipped)} entries of the checkpoint have no place in the model: {some}")
    return replace(
        record,
        model=job.loaded.spec,
        shipped=job.shipped_note(),
        plugins=job.plugins(),
        inputs=job.inputs(),
        load=report,
    )


def check_digests(job: Job) -> None:
    """Stop a wrong file before it is read, where the user said which one is right."""
    from porter.checkpoints.digests import require_digest

    asked: tuple[tuple[Literal["sha256", "md5"], str | None], ...] = (
        ("sha256", job.request.checkpoint_sha256),
        ("md5", job.request.checkpoint_md5),
    )
    for algorithm, wanted in asked:
        if wanted is None:
            continue
        if job.checkpoint is None:
            raise BadInput(f"--checkpoint-{algorithm}: there is no checkpoint to check")
        require_digest(job.checkpoint, wanted, algorithm)


def with_data_of(record: RunRecord, inputs: tuple[InputFile, ...]) -> tuple[InputFile, ...]:
    """`inputs`, with the model's files as the record has them: only a new export may take changed ones."""
    known = {entry.role: entry for entry in record.inputs if entry.role in MODEL_FILES}
    return tuple(known.get(entry.role, entry) for entry in inputs)


def require_unchanged(record: RunRecord, inputs: tuple[InputFile, ...], roles: tuple[str, ...]) -> None:
    """Stop where an input's content is no longer what the record was made from."""
    then = {entry.role: entry.sha256 for entry in record.inputs}
    for entry in inputs:
        if entry.role in roles and then.get(entry.role, entry.sha256) != entry.sha256:
            raise BadInput(f"{entry.path}: changed since this run began; start again with `porter export`")
