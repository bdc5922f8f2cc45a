"""deliver: the documents, from the record alone."""

from __future__ import annotations

from dataclasses import replace

from porter.documents.deliver import deliver
from porter.documents.templates import Templates
from porter.errors import PluginError
from porter.files.whole import write_whole
from porter.pipeline.job.job import Job
from porter.pipeline.saving import save
from porter.records.evaluation import Evaluation
from porter.records.record import RunRecord


def deliver_documents(job: Job, record: RunRecord) -> RunRecord:
    """Save the record, and write the documents from it; fills `templates`."""
    of_plugin = job.offer.templates
    record = save(job, replace(record, templates="" if of_plugin is None else job.hooks.plugin))
    deliver(job.folder, record, Templates(user=job.templates, plugin=of_plugin))
    return record


def write_task_files(job: Job, record: RunRecord, evaluation: Evaluation) -> RunRecord:
    """The accuracy of one artefact in the task's own formats; fills `task_files`."""
    documents = job.task.documents(evaluation.metrics, job.spec)
    for name, data in documents.items():
        if name not in job.task.files:
            raise PluginError(f"task {job.task.name!r}: documents() wrote {name!r}, which its `files` do not name")
        write_whole(job.folder / name, data)
    return replace(record, task_files=tuple(documents))
