"""Every file of an imported folder by what it is. A broken file is remembered with the reason; it stops nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from porter import BadInput, Message, Text, is_regular, leads_out, one_line, open_regular, read_json
from porter_ascend import aisbench, benchmark, msame, outputs, scores
from porter_ascend.kit import DOCUMENT, RESULTS, KitDocument, read_kit

T = TypeVar("T")
RESULTS_DOCUMENT = "results.json"
_PEEK = 4 << 20
"""Bytes of a log that are looked at to tell what it is."""
_TOOLS = re.compile(
    r"(?i)NPU_compute_time|throughput|inference (?:average )?time|samples/s|\bfps\b|ais_(?:bench|infer)|msame|"
    r"\bacl init\b|load model \S+\.om"
)
"""What only a log of an inference tool holds."""
LOGS = ("", ".log", ".txt", ".out")
NOT_UNDERSTOOD = Message("a tool's log without a line of figures that porter understands; ignored")
_BEGUN = re.compile(rb"\s*[-+]?[.0-9naif]")
"""How a text of scores begins."""


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What the kit's script says of one batch size."""

    batch: int
    built: bool
    pure: bool
    dataset: bool | None = None
    om_sha256: str = ""
    om_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class KitResults:
    """`results.json`, which the kit's script writes last."""

    kit_sha256: str
    soc_version: str
    precision_mode: str
    tool: str
    cann: str
    host: str
    device: int
    finished: str
    batches: tuple[BatchResult, ...]


@dataclass(frozen=True)
class Read(Generic[T]):
    """What a file says."""

    path: Path
    content: T


@dataclass(kw_only=True)
class Found:
    """The files of one folder."""

    folder: Path
    kit: Read[KitDocument] | None = None
    results: Read[KitResults] | None = None
    perf_vision: list[Read[benchmark.PerfVision]] = field(default_factory=list)
    pure_infer: list[Read[benchmark.PureInfer]] = field(default_factory=list)
    summaries: list[Read[aisbench.AisBench]] = field(default_factory=list)
    logs: list[Read[aisbench.AisBench]] = field(default_factory=list)
    msame: list[Read[msame.Msame]] = field(default_factory=list)
    scores: list[Read[scores.Scores]] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)
    """Folders that hold outputs."""
    broken: list[tuple[Path, Text]] = field(default_factory=list)
    """Files that cannot be read, with the reason."""

    def name(self, path: Path) -> str:
        """A path as documents show it."""
        return one_line(path.relative_to(self.folder)) if path.is_relative_to(self.folder) else one_line(path)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of use was found."""
        reports = (self.perf_vision, self.pure_infer, self.summaries, self.logs, self.msame, self.scores, self.outputs)
        return not any(reports)


def collect(folder: Path) -> Found:
    """Look through `folder`, links to folders left out."""
    found = Found(folder=folder)
    is_kit = (folder / DOCUMENT).exists()
    if is_kit and _is_own(found, folder / DOCUMENT):
        found.kit = _read(found, folder / DOCUMENT, read_kit)
    for path in _files(folder / RESULTS if is_kit else folder):
        if _is_own(found, path):
            _take(found, path)
    found.outputs.sort()
    return found


def _take(found: Found, path: Path) -> None:
    name = path.name
    if name.startswith("perf_vision") and path.suffix == ".txt":
        _keep(found, found.perf_vision, path, benchmark.read_perf_vision)
    elif "PureInfer" in name and path.suffix in (".txt", ".log"):
        _keep(found, found.pure_infer, path, benchmark.read_pure_infer)
    elif name.endswith((aisbench.SUMMARY, "sumary.json")):
        _keep(found, found.summaries, path, aisbench.read_summary)
    elif name == RESULTS_DOCUMENT:
        found.results = _read(found, path, _read_results)
    elif name.startswith("result") and path.suffix == ".json":
        _keep(found, found.scores, path, scores.read_scores)
    elif outputs.is_output(name) and not _is_log(path):
        if not name.startswith(aisbench.MADE_UP) and path.parent not in found.outputs:
            found.outputs.append(path.parent)
    elif path.suffix in LOGS:
        _take_log(found, path)
    elif path.suffix == ".json" and _holds(path, '"NPU_compute_time"'):  # a summary that somebody renamed
        _keep(found, found.summaries, path, aisbench.read_summary)


def _holds(path: Path, words: str) -> bool:
    try:
        return words in _text(path)
    except OSError:
        return False


def _is_log(path: Path) -> bool:
    """Whether a file that is named as an output is a log, such as `bench_bs_16.txt`."""
    if path.suffix != ".txt":
        return False
    try:
        with open_regular(path) as stream:
            return not _BEGUN.match(stream.read(64)) and _TOOLS.search(_text(path)) is not None
    except OSError:
        return False


def _take_log(found: Found, path: Path) -> None:
    """A log of any name, by what it holds. One of a tool that no reader understands is said to be; any other text is
    none of ours."""
    try:
        text = _text(path)
    except OSError as error:
        found.broken.append((path, f"cannot be read: {error.strerror}"))
        return
    if aisbench.is_log(text):
        _keep_all(found, found.logs, path, aisbench.read_logs)
    elif msame.is_log(text):
        _keep_all(found, found.msame, path, msame.read_logs)
    elif "ave_throughputRate" in text:
        _keep(found, found.pure_infer, path, benchmark.read_pure_infer)
    elif _TOOLS.search(text) and "throughputRate" not in text:  # the older tool's report says it again
        found.broken.append((path, NOT_UNDERSTOOD))


def _text(path: Path) -> str:
    """The beginning of a text in UTF-8, or in UTF-16 as a shell of Windows writes it."""
    with open_regular(path) as stream:
        head = stream.read(_PEEK)
    return head.decode("utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", errors="replace")


def _keep_all(found: Found, kept: list[Read[T]], path: Path, read: Callable[[Path], tuple[T, ...]]) -> None:
    several = _read(found, path, read)
    kept.extend(Read(path, content) for content in (several.content if several is not None else ()))


def _keep(found: Found, kept: list[Read[T]], path: Path, read: Callable[[Path], T]) -> None:
    result = _read(found, path, read)
    if result is not None:
        kept.append(result)


def _read(found: Found, path: Path, read: Callable[[Path], T]) -> Read[T] | None:
    try:
        return Read(path, read(path))
    except BadInput as error:
        found.broken.append((path, str(error).removeprefix(f"{one_line(path)}: ")))
        return None


def _read_results(path: Path) -> KitResults:
    return read_json(path, "list of a kit's results", KitResults)


def _is_own(found: Found, path: Path) -> bool:
    """Whether a file lies in the imported folder; a link that leads out of it is noted as broken, and not looked at."""
    if leads_out(found.folder, path):
        found.broken.append((path, "a link that leads out of the imported folder; ignored"))
        return False
    return is_regular(path)


def _files(folder: Path) -> Iterator[Path]:
    """Every file and link below, in an order that does not depend on the file system."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in sorted(names) if not name.startswith("."))
