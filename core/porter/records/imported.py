"""What was measured elsewhere and imported: which file gave which figure, and what does not fit together."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.message import Text


class Doubt(enum.StrEnum):
    """What a finding is about."""

    INCONSISTENT = "inconsistent"
    """Two figures that cannot both be right, or a figure that contradicts itself."""
    MISSING = "missing"
    """Something that should be there is not."""
    UNREADABLE = "unreadable"
    """A file that is broken; nothing was taken from it."""


@dataclass(frozen=True, kw_only=True)
class ImportFinding:
    """One thing that a reader must know before believing the figures."""

    kind: Doubt
    """What it is about."""
    text: Text
    """What does not fit, in one sentence that names the files."""


@dataclass(frozen=True, kw_only=True)
class ImportSource:
    """A file that figures were taken from, or a folder of outputs."""

    path: str
    """Relative to the imported folder."""
    sha256: str
    """Of the file; of a folder, over the lines `sha256  name` of its files."""
    size_bytes: int
    """Size of the file, or of all files of a folder."""
    gave: tuple[Text, ...]
    """What was taken from it, in words."""


@dataclass(frozen=True, kw_only=True)
class ModuleRate:
    """One module of a tool that ran a whole data set, its modules beside each other."""

    name: str
    """As the tool names it: `data read`, `preprocess`, `infer`, `post`."""
    images_per_second: float
    """Rate of this module."""
    ms_per_image: float
    """Time of one image in this module."""


@dataclass(frozen=True, kw_only=True)
class DatasetRun:
    """A whole data set through a tool, from reading a file to writing its outputs."""

    source: str
    """The file that states it, relative to the imported folder."""
    batch: int | None
    """Batch size, from the file's name."""
    images: int
    """Images that went through: the rate times the whole time, rounded."""
    wall_seconds: float
    """Time of the whole data set: what the tool calls `latency` on its line `[e2e]`."""
    images_per_second: float
    """Rate of the whole path."""
    modules: tuple[ModuleRate, ...]
    """The modules in order."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """An import. The figures themselves are in `evaluations` and `performance`."""

    runtime: str
    """Name of the runtime that was measured."""
    folder: str
    """The imported folder, as typed."""
    arguments: tuple[str, ...]
    """Arguments of the command that imports it again, without `--out`."""
    measured_on: str
    """The host and the chip, as far as the files say; else "not reported"."""
    tools: tuple[str, ...]
    """The tools whose reports were read."""
    kit_sha256: str = ""
    """Of the list of the kit that was run; empty: no kit was."""
    sources: tuple[ImportSource, ...] = ()
    """The files, in order."""
    dataset_runs: tuple[DatasetRun, ...] = ()
    """Whole data sets through a tool."""
    findings: tuple[ImportFinding, ...] = ()
    """What does not fit together, what is missing, what could not be read."""
    notes: tuple[Text, ...] = ()
    """What the figures mean, where a tool's own names mislead."""
