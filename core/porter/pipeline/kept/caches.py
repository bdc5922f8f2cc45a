"""caches: what a run's folder keeps between commands, whether it still belongs to the record, and its removal.

Artefacts and documents are results and never looked at here; all that is can be made again.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from porter.errors import BadInput, PorterError, one_line
from porter.files.hashes import digest_or_empty
from porter.files.sealed import intact
from porter.files.whole import require_no_way_out
from porter.pipeline.evaluation.arrays import ArrayFolder, name_of, read_index
from porter.pipeline.evaluation.journal import look
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import REFERENCE, subjects
from porter.pipeline.evaluation.trace_file import look_at
from porter.pipeline.job.job import Job
from porter.pipeline.precision.attempts import read_log
from porter.records.cached import Cached, CacheKind, CacheState
from porter.records.record import RunRecord
from porter.runfolder.layout import ATTEMPTS, CACHE, INDEX, JOURNALS, LINES, OUTPUTS, TENSORS, TRACES

PLACES = (TENSORS, OUTPUTS, CACHE)
OWN_ARRAYS = re.compile(rf"[0-9]{{8}}\.npz|{re.escape(INDEX)}")
OTHERWISE = "made from other inputs, options or versions"


@dataclass(frozen=True, kw_only=True)
class Found:
    """State, reason, and number of images."""

    state: CacheState
    reason: str = ""
    entries: int | None = None


class Caches:
    """Everything that is kept in the folder of `job`, whose record is `record`.

    Raises `BadInput` for a link that leads out of the folder: what lies behind it is not porter's to remove.
    """

    def __init__(self, job: Job, record: RunRecord) -> None:
        require_no_way_out(job.folder, PLACES)
        self._job, self._record = job, record
        self._sources = tuple(Sources(job, record, from_files=from_files) for from_files in (False, True))
        try:
            job.data.manifest  # noqa: B018 - needed for every key; without images, plugin or config none can be told
            self._obstacle = ""
        except PorterError as error:
            self._obstacle = f"cannot be checked: {one_line(error)}"

    def __iter__(self) -> Iterator[Cached]:
        folder = self._job.folder
        for path in _inside(folder / JOURNALS):
            yield self._cached(CacheKind.PREDICTIONS, path, self._journal(path))
        if (folder / TENSORS).is_dir():
            found = self._arrays(folder / TENSORS, self._tensors())
            yield self._cached(CacheKind.TENSORS, folder / TENSORS, found)
        for path in _inside(folder / OUTPUTS):
            yield self._cached(CacheKind.OUTPUTS, path, self._arrays(path, self._outputs(path.name)))
        for path in _inside(folder / CACHE):
            if path == folder / JOURNALS:
                continue
            if path == folder / TRACES:
                yield self._cached(CacheKind.TRACES, path, self._traces(path))
                continue
            if path == folder / ATTEMPTS:
                yield self._cached(CacheKind.ATTEMPTS, path, self._attempts(path))
                continue
            if not path.is_dir():
                found = Found(state=CacheState.UNKNOWN, reason="not a file of porter's")
                yield self._cached(CacheKind.OTHER, path, found)
            for compiled in _inside(path):
                yield self._cached(CacheKind.COMPILED, compiled, self._compiled(compiled))

    def remove(self, kept: Iterable[Cached]) -> None:
        """Remove these, and folders that are empty then. Files that porter did not write stay."""
        for one in kept:
            path = self._job.folder / one.path
            if one.kind in (CacheKind.PREDICTIONS, CacheKind.TRACES):
                path.unlink()
            elif one.kind in (CacheKind.COMPILED, CacheKind.ATTEMPTS):
                rmtree(path) if path.is_dir() else path.unlink()
            elif one.kind in (CacheKind.TENSORS, CacheKind.OUTPUTS):
                for file in [file for file in path.iterdir() if OWN_ARRAYS.fullmatch(file.name)]:
                    file.unlink()
        for name in PLACES:
            _remove_empty(self._job.folder / name)

    # --- what each kind is held against -----------------------------------------------------------------------

    def _journal(self, path: Path) -> Found:
        read = look(path) if path.is_file() else None
        if read is None:
            return Found(state=CacheState.DAMAGED, reason="not a journal")
        if read.problem:
            return Found(state=CacheState.DAMAGED, reason=read.problem, entries=read.images)
        if self._obstacle:
            return Found(state=CacheState.UNKNOWN, reason=self._obstacle, entries=read.images)
        keys = self._journal_keys(path.stem) if path.suffix == LINES else set()
        if read.key not in keys:
            return Found(state=CacheState.STALE, reason=OTHERWISE, entries=read.images)
        return self._counted(read.images)

    def _journal_keys(self, name: str) -> set[str]:
        kind = self._job.task.prediction_type
        if kind is None or name not in self._names():
            return set()
        return {sources.journal(name, kind).key for sources in self._sources}

    def _arrays(self, path: Path, expected: ArrayFolder | None) -> Found:
        try:
            index = read_index(path)
        except BadInput:
            return Found(state=CacheState.DAMAGED, reason=f"no {INDEX} that can be read")
        count = len(index.entries)
        if self._obstacle:
            return Found(state=CacheState.UNKNOWN, reason=self._obstacle, entries=count)
        if expected is None or index.key != expected.key:
            return Found(state=CacheState.STALE, reason=OTHERWISE, entries=count)
        for number, entry in enumerate(index.entries):
            if not entry.reason and digest_or_empty(path / name_of(number)) != entry.file_sha256:
                reason = f"{name_of(number)} was changed after it was written"
                return Found(state=CacheState.DAMAGED, reason=reason, entries=count)
        return self._counted(count)

    def _tensors(self) -> ArrayFolder | None:
        return None if self._obstacle else self._sources[0].tensors()

    def _outputs(self, name: str) -> ArrayFolder | None:
        return None if self._obstacle or name not in self._names() else self._sources[0].outputs(name)

    def _compiled(self, path: Path) -> Found:
        seal = intact(path)
        if seal is None:
            return Found(state=CacheState.DAMAGED, reason="not what was written")
        models = [[file.sha256 for file in artefact.files] for artefact in self._record.artefacts]
        if any(all(sha256 in seal.key for sha256 in model) for model in models):
            return Found(state=CacheState.VALID)
        return Found(state=CacheState.STALE, reason="compiled from no artefact of the record")

    def _traces(self, path: Path) -> Found:
        read = look_at(path)
        if read is None:
            return Found(state=CacheState.DAMAGED, reason="no outputs that can be read")
        key, images = read
        if self._obstacle:
            return Found(state=CacheState.UNKNOWN, reason=self._obstacle, entries=images)
        if key not in set(self._trace_keys()):
            return Found(state=CacheState.STALE, reason=OTHERWISE, entries=images)
        return self._counted(images)

    def _trace_keys(self) -> Iterator[str]:
        for sources in self._sources:
            with suppress(BadInput):  # outputs whose index is damaged are the source of none
                yield sources.traces(REFERENCE).key

    def _attempts(self, path: Path) -> Found:
        log = read_log(path)
        if log is None:
            return Found(state=CacheState.DAMAGED, reason="no attempts that can be read")
        if self._record.quantization is not None:
            return Found(state=CacheState.STALE, reason="the search is over")
        count = len(log.attempts)
        made = f"{count} attempt{'s' if count != 1 else ''}"
        return Found(state=CacheState.UNKNOWN, reason=f"{made}: whether they fit is checked on resume")

    def _counted(self, images: int) -> Found:
        """Valid; an interruption leaves less than the whole."""
        total = len(self._job.data.items)
        reason = "" if images == total else f"{images} of {total} images: the same command resumes"
        return Found(state=CacheState.VALID, reason=reason, entries=images)

    def _names(self) -> set[str]:
        return {subject.name for subject in subjects(self._record)}

    def _cached(self, kind: CacheKind, path: Path, found: Found) -> Cached:
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        status = [file.stat() for file in (files or [path])]
        return Cached(
            kind=kind,
            path=path.relative_to(self._job.folder).as_posix(),
            state=found.state,
            reason=found.reason,
            entries=found.entries,
            size_bytes=sum(one.st_size for one in status) if files else 0,
            modified=_iso(max(one.st_mtime for one in status)),
        )


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _iso(seconds: float) -> str:
    """Empty for a time that no calendar has, as a file system can name it."""
    try:
        return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return ""


def _remove_empty(folder: Path) -> None:
    """Remove the folder, and those in it, where nothing is left in them."""
    for path in [*sorted(folder.rglob("*"), reverse=True), folder]:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
