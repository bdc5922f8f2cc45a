"""run.json: the record of a run, the only source of every number in every document."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from porter.records.artefact import Artefact
from porter.records.environment import Environment
from porter.records.evaluation import Evaluation, Failure
from porter.records.export import ExportReport
from porter.records.load import LoadReport
from porter.records.parity import Parity, PreprocessParity
from porter.records.performance import Performance
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec

SCHEMA_VERSION = 1


class State(enum.StrEnum):
    PASS = "pass"
    FAIL = "fail"
    NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One of the four answers of a run, with its evidence."""

    name: str
    """`weights`, `parity`, `preprocessing` or `accuracy`."""
    title: str
    state: State
    evidence: tuple[str, ...]
    advice: tuple[str, ...] = ()
    """Likely causes of a failure, likeliest first, and what to do next."""


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file, or a folder of labels, that the run read, by content."""

    role: str
    path: str
    sha256: str
    """Of a folder: see `porter.hashes.folder_digest`."""
    size_bytes: int
    files: int | None = None
    """Number of files of a folder; None for a file."""
    shipped: bool = False
    """Whether it came with the plugin and not from the user."""


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    path: str
    """Relative to the run's folder."""
    sha256: str
    size_bytes: int
    what: str


@dataclass(frozen=True, kw_only=True)
class PluginUse:
    """Which plugin answered for the model, a runtime or the task."""

    role: str
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """The manifest in figures. listed = decoded + failed."""

    root: str
    found: int
    listed: int
    selection: str
    labels_from: str
    label_offset: int
    manifest_sha256: str
    """Over `id TAB label` lines, in order."""
    content_sha256: str = ""
    """Over the SHA-256 of every image file, in order; empty until every image was read."""
    decoded: int | None = None
    failed: int | None = None
    failures: tuple[Failure, ...] = ()
    conversions: dict[str, int] = field(default_factory=dict)
    """Images that were not ordinary RGB JPEGs, by what was odd."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The gate metric of one artefact against a figure, in the metric's own unit."""

    evaluation: str
    against: str
    """`reference` or `published`."""
    metric: str
    title: str
    value: float
    baseline: float | None
    drop: float | None
    """baseline - value (value - baseline where lower is better); negative: the artefact is better."""
    allowed: float
    passed: bool | None
    """None: not comparable, for `reason`."""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that a run measured. A section that is None, or empty, was not measured."""

    porter: str
    """Version of porter-core."""
    created: str
    """Local time with offset, ISO 8601, when the first stage began."""
    finished: str = ""
    command: str
    """The command line that wrote the record last."""
    request: RunRequest
    schema_version: int = SCHEMA_VERSION
    model: ModelSpec | None = None
    shipped: str = ""
    """What of the run's inputs the plugin shipped, in words; empty: nothing."""
    plugins: tuple[PluginUse, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    environment: Environment | None = None
    load: LoadReport | None = None
    export: ExportReport | None = None
    data: DataReport | None = None
    preprocessing: PreprocessParity | None = None
    artefacts: tuple[Artefact, ...] = ()
    parity: tuple[Parity, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    task_files: tuple[str, ...] = ()
    """Names of the files in which the task wrote the accuracy in a format of its own."""
    comparisons: tuple[Comparison, ...] = ()
    performance: tuple[Performance, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    commands: dict[str, str] = field(default_factory=dict)
    """The commands that make each part again, by stage."""
    files: tuple[OutputFile, ...] = ()

    def evaluation(self, name: str) -> Evaluation | None:
        """The evaluation of that name, or None."""
        return next((e for e in self.evaluations if e.name == name), None)
