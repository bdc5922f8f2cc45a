"""The beginning of a run: a new one in its folder, or on with the record that lies there."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

from porter.contracts.progress import Progress
from porter.errors import BadInput, one_line
from porter.files.native_names import require_native_name, require_text
from porter.files.whole import require_no_way_out
from porter.hosting.registry import Registry
from porter.machine import host as machine
from porter.machine.clock import now
from porter.machine.given_facts import read_host_facts
from porter.pipeline.accuracy_files import accuracy_file_names
from porter.pipeline.job.executor import Executor
from porter.pipeline.job.job import Job
from porter.pipeline.run import Run
from porter.records.host_facts import HostFacts
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.records.version import __version__
from porter.runfolder.layout import CACHE, DOCUMENTS, KIT, LOGS, MODELS, OUTPUTS, PREDICTIONS, RECORD_NAME, TENSORS
from porter.runfolder.record_file import read_record
from porter.runfolder.sections import changed_flags, clear, lost, stale_between


def begin(
    folder: Path,
    request: RunRequest,
    registry: Registry,
    progress: Progress,
    command: str,
    *,
    fresh: bool,
    executor: Executor | None = None,
    templates: Path | None = None,
) -> Run:
    """Start a run in `folder`, or go on with the record that lies there.

    What the record holds and the changed options make stale is cleared, so that no figure outlives what it was
    measured on. `executor` and `templates`: see `Job`. Raises `BadInput` where the folder cannot be written.
    """
    machine.let_threads_sleep()
    job = Job(
        folder=folder, request=request, registry=registry, progress=progress, executor=executor, templates=templates
    )
    job.files  # noqa: B018 - a wrong model or file stops before a folder is made
    for field, value in asdict(request).items():
        if isinstance(value, str):
            require_text(f"--{field.replace('_', '-')} {one_line(value)}", value)
    require_native_name(folder, f"--out {one_line(folder)}")
    _require_writable(folder)
    require_no_way_out(folder, (MODELS, TENSORS, OUTPUTS, CACHE, LOGS))
    if link := next((path for path in folder.glob(f"{KIT}*") if path.is_symlink()), None):
        raise BadInput(f"{one_line(link)}: a link to another place. Replace or remove it")
    is_run = (folder / RECORD_NAME).exists()
    if folder.exists() and not is_run:
        _require_free(folder, (*DOCUMENTS, PREDICTIONS, *accuracy_file_names(job)))
    before = _earlier(folder, fresh=fresh) if is_run else None
    if before is None or fresh:
        record = RunRecord(porter=__version__, created=now(), command=command, request=request)
    else:
        record = clear(before, stale_between(before.request, request))
        if cleared := lost(before, record):
            flags = ", ".join(changed_flags(before.request, request))
            progress.note(f"{flags} changed; cleared {', '.join(cleared)}")
    environment = record.environment or job.environment
    record = replace(record, host_facts=_host_facts(request, before))
    if before is not None and before.request.form not in (None, request.form):
        progress.note(f"{folder / before.request.form}: of an earlier command; --template writes it again")
    # Of this command's leave to unpickle, the record keeps whether its weights needed it: so does who makes them again.
    unpickled = record.load is not None and not record.load.safe
    request = replace(request, trust_checkpoint=request.trust_checkpoint or unpickled)
    record = replace(record, porter=__version__, request=request, command=command, environment=environment)
    return Run(job, record, fresh=fresh, before=() if before is None else before.files)


def _host_facts(request: RunRequest, before: RunRecord | None) -> HostFacts | None:
    """What the file says now; of one that is gone, what it said when an earlier command read it."""
    if request.host_facts is None:
        return None
    known = before is not None and before.request.host_facts == request.host_facts
    if before is not None and known and not Path(request.host_facts).exists():
        return before.host_facts
    return read_host_facts(Path(request.host_facts))


def _earlier(folder: Path, *, fresh: bool) -> RunRecord | None:
    """The record that lies in the folder. One that cannot be read is in the way, unless all is made anew."""
    try:
        return read_record(folder)
    except BadInput as error:
        if fresh:
            return None
        raise BadInput(f"{error}. Use `porter run --fresh` to redo everything") from None


def _require_writable(folder: Path) -> None:
    """Stop where the folder could not be written, without making it: a mistake must leave nothing behind."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BadInput(f"--out {one_line(folder)}: {one_line(there)} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"--out {one_line(folder)}: {one_line(there)} cannot be written")


def _require_free(folder: Path, names: tuple[str, ...]) -> None:
    """Stop where a run would write over files that no run wrote, as in a project of the user's own."""
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise BadInput(f"--out {one_line(folder)}: contains a {taken[0]} that no run wrote. Use another folder")
