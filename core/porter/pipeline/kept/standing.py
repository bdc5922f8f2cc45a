"""standing: what a record of an earlier command still says rightly, by the content of all that it was made from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from porter.data.content import content_sha256
from porter.errors import BadInput
from porter.files.hashes import has_digest
from porter.hosting.engines import engine_packages
from porter.hosting.guard import guarded
from porter.machine import host as machine
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import changed_inputs, plugins_of
from porter.pipeline.precision.calibration_images import content_of
from porter.records.environment_lock import EnvironmentLock
from porter.records.record import HELPER, OutputFile, RunRecord
from porter.runfolder.layout import MODELS
from porter.runfolder.sections import clear, stale_after
from porter.runfolder.written import changed, written

SECTION_OF_ROLE = {"model": "load", "task": "data"}
"""Role of a plugin: the section that its code makes first; a runtime's is `artefacts`."""


def standing(job: Job, record: RunRecord) -> tuple[RunRecord, tuple[str, ...]]:
    """The record without what no longer holds, and why, one line for each thing that changed.

    Nothing is taken on trust: not the time and size of a file, not a version that stayed the same.
    """
    changed = [*_machine(job, record), *_plugins(job, record), *_inputs(job, record), *_files(job, record)]
    record = clear(record, stale_after(section for section, _ in changed))
    if record.data is not None and record.data.content_sha256:
        try:
            content = content_sha256(job.data.manifest)
        except BadInput:
            content = ""
        if content != record.data.content_sha256:
            changed.append(("data", "the images changed"))
            record = clear(record, stale_after(["data"]))
    return record, tuple(dict.fromkeys(reason for _, reason in changed))


Changed = Iterator[tuple[str, str]]
"""The first section that a change makes stale, and the change in words."""


def _machine(job: Job, record: RunRecord) -> Changed:
    then = record.environment
    if then is None:
        return
    now = machine.describe(engine_packages(job.registry), images=False)
    if then.cpu != now.cpu:
        yield "load", "another processor"
    if then.python != now.python:
        yield "load", f"Python {now.python}, it was {then.python}"
    for name in sorted(then.packages.keys() | (now.packages.keys() & set(machine.PACKAGES))):
        was, has = then.packages.get(name, "absent"), now.packages.get(name, "absent")
        if was != has:
            yield "load", f"{name} {has}, it was {was}"


def _plugins(job: Job, record: RunRecord) -> Changed:
    if record.load is None:
        return
    then, now = ({use.role: use for use in uses} for uses in (record.plugins, plugins_of(job)))
    for role in sorted(then.keys() | now.keys()):
        was, has = then.get(role), now.get(role)
        helps = role.startswith(f"{HELPER} ")
        if was and has and was != has:
            yield "load" if helps else SECTION_OF_ROLE.get(role, "artefacts"), f"plugin {has.plugin!r} changed"
        elif helps and not (was and has):  # of the others, the options say that they came or went
            yield "load", f"plugin {role.removeprefix(f'{HELPER} ')!r} {'is new' if has else 'is not here'}"


def _inputs(job: Job, record: RunRecord) -> Changed:
    for entry in changed_inputs(job, record) if record.load is not None else ():
        yield "load" if entry.role in MODEL_FILES else "data", f"the {entry.role.replace('_', ' ')} changed"


def _files(job: Job, record: RunRecord) -> Changed:
    if record.export is not None and not has_digest(job.folder / record.export.path, record.export.sha256):
        yield "export", f"{record.export.path} was changed after the export"
    if record.quantization is not None:
        if not has_digest(job.folder / record.quantization.path, record.quantization.sha256):
            yield "quantization", f"{record.quantization.path} was changed after quantisation"
        if content_of(job, record.quantization.calibration) != record.quantization.calibration.content_sha256:
            yield "quantization", "the calibration images changed"
    for artefact in record.artefacts:
        lock = lock_of(job, artefact.runtime)
        if lock is not None and artefact.environment not in (None, lock):
            yield "artefacts", f"the environment of {artefact.runtime} has other packages"
        for path in changed(job.folder, artefact.files):
            yield "artefacts", f"{path} was changed after it was built"
    for kit in record.kits:
        if not has_digest(job.folder / kit.list, kit.sha256):
            yield "kits", f"{kit.path} was changed after it was written"
    if record.evaluations:
        models = {file.path for artefact in record.artefacts for file in artefact.files}
        for path in changed(job.folder, (file for file in record.files if file.path not in models)):
            yield "evaluations", f"{path} was changed after it was written"


def remove_replaced_models(job: Job, record: RunRecord, before: tuple[OutputFile, ...]) -> None:
    """Remove the model files among `before`, which an earlier command wrote, that the record no longer has, and say so.

    One that somebody changed since stays, and that is said as well.
    """
    named = {file.path for file in written(job.folder, record)}
    if record.quantization is not None:
        named.add(record.quantization.path)
    for file in before:
        path = job.folder / file.path
        if file.path in named or Path(file.path).parts[0] != MODELS or not path.exists():
            continue
        if has_digest(path, file.sha256):
            path.unlink()
            job.progress.note(f"removed {file.path}: built by an earlier run and not part of this one")
        else:
            job.progress.note(f"left {file.path}: not part of this run, and changed since an earlier one built it")


def lock_of(job: Job, runtime: str) -> EnvironmentLock | None:
    """What the environment of a runtime holds now; None: porter's own, or it is not made."""
    plugin = job.registry.provider_of("runtime", runtime)
    lock: EnvironmentLock | None = guarded(job.registry.runtime(runtime), plugin, f"runtime {runtime!r}").lock()
    return lock


def remove_own_files(folder: Path, files: tuple[OutputFile, ...]) -> tuple[list[str], list[str]]:
    """Remove what an earlier run wrote, each file only while it is what that run wrote.

    Returns the files that were removed, and those that somebody changed, which stay.
    """
    removed, left = [], []
    for file in files:
        if has_digest(folder / file.path, file.sha256):
            (folder / file.path).unlink()
            removed.append(file.path)
        elif (folder / file.path).exists():
            left.append(file.path)
    return removed, left
