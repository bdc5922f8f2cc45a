"""The accuracy of what is delivered, in files of the formats that the task and the installed runtimes bring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from porter.contracts.runtime import Runtime
from porter.contracts.task import Task
from porter.errors import PluginError, PorterError, one_line
from porter.files.whole import write_whole
from porter.hosting.guard import guarded
from porter.pipeline.job.job import Job
from porter.records.evaluation import Evaluation
from porter.records.record import RunRecord


def accuracy_file_names(job: Job) -> tuple[str, ...]:
    """Every file that `write_accuracy_files` may write into the run's folder."""
    return tuple(dict.fromkeys(name for _, source in _sources(job) for name in source.files))


def write_accuracy_files(job: Job, record: RunRecord, evaluation: Evaluation) -> RunRecord:
    """Write what task and runtimes make of the accuracy of one artefact; fills `accuracy_files`.

    Runtimes are asked whether this run uses them or not, and so one that fails is said, and stops nothing.
    """
    found: dict[str, bytes] = {}
    for what, source in _sources(job):
        try:
            files = source.documents(evaluation.metrics, job.spec)
            unnamed = [name for name in files if name not in source.files]
            if unnamed:
                raise PluginError(f"{what}: documents() wrote {unnamed[0]!r}, which is not in its `files`")
        except PorterError as error:
            if source is job.task:
                raise
            job.progress.note(f"its file of the accuracy is left out: {one_line(error)}")
            continue
        found = {**files, **found}
    for name, content in found.items():
        write_whole(job.folder / name, content)
    return replace(record, accuracy_files=tuple(found))


def _sources(job: Job) -> Iterator[tuple[str, Task | Runtime]]:
    yield f"task {job.task.name!r}", job.task
    for name, offers in job.registry.runtimes().items():
        for runtime, plugin in offers:
            yield f"runtime {name!r}", guarded(runtime, plugin, f"runtime {name!r}")
