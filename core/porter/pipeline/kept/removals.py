"""What a command removes from a run's folder, said in a line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

from porter.errors import one_line
from porter.files.outward import shell_line
from porter.pipeline.kept.standing import remove_own_files
from porter.records.record import OutputFile
from porter.runfolder.layout import CACHE, DOCUMENTS


class Watched:
    """The documents and the files of scores, as a command finds them, to tell at its end which of them it left removed.

    `files` are those that the record names.
    """

    def __init__(self, folder: Path, files: tuple[OutputFile, ...]) -> None:
        self._folder = folder
        self._scores = [file.path for file in files if "/" not in file.path]
        self._found = {name for name in (*DOCUMENTS, *self._scores) if (folder / name).exists()}

    @property
    def documents(self) -> bool:
        """Whether there were documents."""
        return not self._found.isdisjoint(DOCUMENTS)

    def lines(self) -> Iterator[str]:
        """What is gone and why."""
        again = shell_line(["porter", "report", str(self._folder)])
        for names, reason in (
            (DOCUMENTS, f"they belong to an earlier record; `{again}` writes them again"),
            (self._scores, "they belong to an outdated evaluation"),
        ):
            gone = [name for name in names if name in self._found and not (self._folder / name).exists()]
            if gone:
                yield f"removed {', '.join(gone)}: {reason}"


def remove_earlier(folder: Path, files: tuple[OutputFile, ...]) -> Iterator[str]:
    """Remove what an earlier run wrote and its cache, for --fresh; yields what was removed, and what stays."""
    removed, changed = remove_own_files(folder, files)
    if (folder / CACHE).exists():
        rmtree(folder / CACHE, ignore_errors=True)
        removed.append(f"{CACHE}/")
    if removed:
        yield f"removed {', '.join(map(one_line, removed))} of the earlier run (--fresh)"
    if changed:
        yield f"kept {', '.join(map(one_line, changed))}: changed since the earlier run wrote it"
