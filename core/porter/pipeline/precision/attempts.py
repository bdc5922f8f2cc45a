"""attempts: those of an unfinished search, kept on disk so that an interruption costs one of them at most.

cache/int8/attempts.jsonl   one line with its checksum: what they depend on, the reference, every attempt
cache/int8/attempt-1.onnx   the graph of each
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree

from porter.errors import BadInput
from porter.files.checked_lines import line_of, value_of
from porter.files.hashes import file_digest, has_digest
from porter.files.limits import limit_of
from porter.files.received import read_limited
from porter.files.whole import write_whole
from porter.records.evaluation import Metric
from porter.records.quantization import Attempt
from porter.runfolder.layout import ATTEMPTS, ATTEMPTS_LOG, attempt_graph


@dataclass(frozen=True, kw_only=True)
class Log:
    """What is known of a search."""

    key: str
    """Hash of all that the attempts depend on, the images that they are scored on aside."""
    content_sha256: str
    """Of those images; empty where not all could be read: nothing is taken from such a log."""
    reference: Metric
    """The gate metric of the reference on them."""
    attempts: tuple[Attempt, ...] = ()
    """In order."""
    graphs: tuple[str, ...] = ()
    """SHA-256 of the graph of each attempt; empty where none could be made."""


class Attempts:
    """The attempts of one search, those of an earlier command first, as far as they fit."""

    def __init__(self, folder: Path, key: str, content: Callable[[], str]) -> None:
        """`content` gives the SHA-256 of the images that attempts are scored on; raises `BadInput` where it cannot."""
        self._folder, self._key = folder, key
        known = read_log(folder)
        self._known = known if known is not None and known.key == key and _unchanged(known, content) else None
        self._log = None if self._known is None else replace(self._known, attempts=(), graphs=())

    @property
    def reference(self) -> Metric | None:
        """As an earlier command, or `begin`, has it."""
        return None if self._log is None else self._log.reference

    def begin(self, reference: Metric, content_sha256: str) -> None:
        """Start anew."""
        rmtree(self._folder, ignore_errors=True)
        self._log = Log(key=self._key, content_sha256=content_sha256, reference=reference)

    def earlier(self, wanted: Attempt) -> Attempt | None:
        """The attempt of that number as an earlier command made it; None, from there on, where it made another."""
        assert self._log is not None
        place = wanted.number - 1
        if self._known is None or place >= len(self._known.attempts):
            return None
        found, graph = self._known.attempts[place], self._known.graphs[place]
        made = (found.number, found.method, found.options, found.float_nodes)
        fits = made == (wanted.number, wanted.method, wanted.options, wanted.float_nodes)
        if not fits or (graph and not has_digest(self.graph(wanted.number), graph)):
            self._known = None
            return None
        self._log = replace(self._log, attempts=(*self._log.attempts, found), graphs=(*self._log.graphs, graph))
        return found

    def keep(self, attempt: Attempt, graph: Path) -> None:
        """Take over the graph of an attempt, where it has one, and write down what came of it."""
        assert self._log is not None
        digest = ""
        self._folder.mkdir(parents=True, exist_ok=True)
        if graph.exists():
            graph.replace(self.graph(attempt.number))
            digest = file_digest(self.graph(attempt.number))
        self._log = replace(self._log, attempts=(*self._log.attempts, attempt), graphs=(*self._log.graphs, digest))
        write_whole(self._folder / ATTEMPTS_LOG, line_of(self._log))

    def graph(self, number: int) -> Path:
        """The graph of an attempt that was kept."""
        return self._folder / attempt_graph(number)


def read_log(folder: Path) -> Log | None:
    """None where there is none that holds."""
    try:
        log = value_of(read_limited(folder / ATTEMPTS_LOG, limit_of("line of a journal or index")), Log)
    except OSError:
        return None
    return log if log is not None and len(log.attempts) == len(log.graphs) else None


def forget(folder: Path) -> None:
    """Remove what a search left in a run's folder: it is over, and the record has what came of it."""
    rmtree(folder / ATTEMPTS, ignore_errors=True)


def _unchanged(log: Log, content: Callable[[], str]) -> bool:
    try:
        return content() == log.content_sha256
    except BadInput:
        return False
