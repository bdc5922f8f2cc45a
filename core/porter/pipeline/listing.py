"""list: the images of a run into its record, and with them the labels by content."""

from __future__ import annotations

from dataclasses import replace

from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import inputs_of
from porter.pipeline.load import with_data_of
from porter.records.record import RunRecord
from porter.runfolder.sections import clear, stale_after


def listed(job: Job, record: RunRecord) -> RunRecord:
    """The record with the images as they are listed now; what was made from others is cleared.

    Fills `data`, `model`, `inputs`; does nothing where the record has them.
    """
    report, inputs = job.data.report, with_data_of(record, inputs_of(job))
    known = record.data
    if known is not None and known.manifest_sha256 == report.manifest_sha256 and inputs == record.inputs:
        return record
    for warning in report.warnings:
        job.progress.note(str(warning))
    return replace(clear(record, stale_after(["data"])), data=report, model=job.spec, inputs=inputs)
