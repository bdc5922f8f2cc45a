"""saving: the record as it now is, into the run's folder, at the end of every stage."""

from __future__ import annotations

from dataclasses import replace

from porter.machine.clock import now
from porter.pipeline.accuracy_files import accuracy_file_names
from porter.pipeline.job.job import Job
from porter.pipeline.judge import verdicts
from porter.records.record import RunRecord
from porter.runfolder.commands import commands_of
from porter.runfolder.layout import DOCUMENTS, PREDICTIONS
from porter.runfolder.record_file import write_record
from porter.runfolder.written import written


def save(job: Job, record: RunRecord) -> RunRecord:
    """Write run.json with its verdicts; fills `finished`, `commands`, `files`, `verdicts`.

    Documents, which were made from the record as it was, and predictions that it no longer has go: beside a new record
    they would be taken for what it says.
    """
    record = replace(
        record,
        finished=now(),
        commands=commands_of(record.request, job.folder),
        files=written(job.folder, record),
    )
    record = verdicts.judge(record)
    gone = DOCUMENTS if record.evaluations else (*DOCUMENTS, PREDICTIONS, *accuracy_file_names(job))
    for name in gone:
        (job.folder / name).unlink(missing_ok=True)
    write_record(job.folder, record)
    return record
