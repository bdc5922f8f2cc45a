"""deliver: the documents, from the record alone."""

from __future__ import annotations

from dataclasses import replace

from porter.documents.deliver import deliver
from porter.documents.templates import Templates
from porter.errors import one_line
from porter.pipeline.form_delivery import deliver_form
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import templates_of
from porter.pipeline.saving import save
from porter.records.record import RunRecord


def deliver_documents(job: Job, record: RunRecord) -> RunRecord:
    """Save the record, and write the documents from it, in the form that was asked for as well; fills `templates`."""
    shipped = templates_of(job)
    record = save(job, replace(record, templates=tuple(shipped)))
    templates = Templates(user=job.templates, plugins=tuple(shipped.values()))
    deliver(job.folder, record, templates)
    if record.request.form in (None, *job.registry.forms()):
        deliver_form(job.folder, record, job.registry, templates)
    else:  # of a record that goes on where the form's plugin is not
        job.progress.note(f"the form {one_line(record.request.form)!r} of the run is not at hand and is left out")
    return record
