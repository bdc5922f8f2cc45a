"""deliver: the documents, from the record alone."""

from __future__ import annotations

from dataclasses import replace

from porter.documents.deliver import deliver
from porter.documents.templates import Templates
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import templates_of
from porter.pipeline.saving import save
from porter.records.record import RunRecord


def deliver_documents(job: Job, record: RunRecord) -> RunRecord:
    """Save the record, and write the documents from it; fills `templates`."""
    shipped = templates_of(job)
    record = save(job, replace(record, templates=tuple(shipped)))
    deliver(job.folder, record, Templates(user=job.templates, plugins=tuple(shipped.values())))
    return record
