"""What a command removes, said in a line: files of a run's folder, and sections of its record."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import rmtree

from porter.contracts.progress import Progress
from porter.documents.deliver import READMES
from porter.errors import one_line
from porter.pipeline.kept.standing import remove_own_files
from porter.records.record import OutputFile, RunRecord
from porter.runfolder.layout import CACHE, DOCUMENTS
from porter.runfolder.sections import clear, lost, stale_after


class Removals:
    """Removes files of a run's folder, and tells at the end which of them were not written again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._removed: list[str] = []

    def remove(self, names: Iterable[str]) -> None:
        """Remove files of an earlier run or stage: beside a new record they would be taken for what it says."""
        for name in names:
            path = self._folder / name
            if path.exists():
                path.unlink()
                self._removed.append(name)

    def lines(self, languages: tuple[str, ...]) -> Iterator[str]:
        """What is gone and why; `languages` are those of the documents."""
        gone = [name for name in dict.fromkeys(self._removed) if not (self._folder / name).exists()]
        unwanted = [name for language, name in READMES.items() if language not in languages and name in gone]
        documents = [name for name in gone if name in DOCUMENTS and name not in unwanted]
        scores = [name for name in gone if name not in DOCUMENTS]
        again = shlex.join(["porter", "report", str(self._folder)])
        for names, reason in (
            (documents, f"they show an earlier record; `{again}` writes them again"),
            (unwanted, f"the documents are in {', '.join(languages)} only (--lang)"),
            (scores, "they are of an evaluation that no longer holds"),
        ):
            if names:
                yield f"removed {', '.join(names)}: {reason}"


def remove_earlier(folder: Path, files: tuple[OutputFile, ...]) -> Iterator[str]:
    """Remove what an earlier run wrote and its cache, for --fresh; yields what was removed, and what stays."""
    removed, changed = remove_own_files(folder, files)
    if (folder / CACHE).exists():
        rmtree(folder / CACHE, ignore_errors=True)
        removed.append(f"{CACHE}/")
    if removed:
        yield f"removed {', '.join(map(one_line, removed))} of the earlier run: --fresh"
    if changed:
        yield f"kept {', '.join(map(one_line, changed))}: changed since the earlier run wrote it"


def cleared(
    record: RunRecord, sections: Iterable[str], reason: str, progress: Progress, *, made: tuple[str, ...] = ()
) -> RunRecord:
    """The record without these sections and what follows from them; says which of them it had, those aside that are
    `made` at once."""
    after = clear(record, stale_after(sections))
    if gone := [section for section in lost(record, after) if section not in made]:
        progress.note(f"{reason}: cleared {', '.join(gone)}")
    return after
