"""load: the checkpoint against its digests, then into the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from porter.errors import BadInput
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import changed_inputs, inputs_of, plugins_of, sample_hooks_of, shipped_note
from porter.pipeline.weights_auditing import audit_weights
from porter.records.record import InputFile, RunRecord
from porter.runfolder.layout import RECORD_NAME


def load(job: Job, record: RunRecord) -> RunRecord:
    """Load the model; fills `model`, `inputs`, `plugins`, `load`, `weights_audit`."""
    with job.progress.step("load"):
        report = job.loaded.report
        audit = audit_weights(job)
    if not report.safe:
        job.progress.note("the checkpoint was unpickled without restriction (--trust-checkpoint)")
    if len(report.weights_offered) > 1:
        offered = ", ".join(one or "a bare set" for one in report.weights_offered)
        job.progress.note(f"the checkpoint contains {offered}; using {report.weights!r} (see --weights)")
    if report.skipped:
        some = ", ".join(report.skipped[:3])
        job.progress.note(f"{len(report.skipped)} entries of the checkpoint are not in the model: {some}")
    return replace(
        record,
        model=job.loaded.spec,
        shipped=shipped_note(job),
        plugins=plugins_of(job),
        hooks=sample_hooks_of(job),
        inputs=inputs_of(job),
        load=report,
        weights_audit=audit,
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
            raise BadInput(f"--checkpoint-{algorithm} needs --checkpoint")
        require_digest(job.checkpoint, wanted, algorithm)


def with_data_of(record: RunRecord, inputs: tuple[InputFile, ...]) -> tuple[InputFile, ...]:
    """`inputs`, with the model's files as the record has them: only a new export may take changed ones."""
    known = {entry.role: entry for entry in record.inputs if entry.role in MODEL_FILES}
    return tuple(known.get(entry.role, entry) for entry in inputs)


def exported(job: Job, record: RunRecord) -> RunRecord:
    """The record as it is. Raises `BadInput` where nothing was exported, or a file of the model changed since."""
    if record.export is None or record.model is None:
        raise BadInput(
            f"{job.folder / RECORD_NAME}: no export matches these options. "
            f"Run `porter export {job.request.model} --out {job.folder}` first"
        )
    for entry in changed_inputs(job, record):
        if entry.role in MODEL_FILES:
            raise BadInput(f"{entry.path}: changed during this run. Start again with `porter export`")
    return record
