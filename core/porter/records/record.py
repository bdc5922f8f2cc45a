"""run.json: the record of a run, the only source of every number in every document."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from porter.records.artefact import Artefact
from porter.records.audited import DataAudit
from porter.records.choice import Choice, Untried
from porter.records.diagnosed import Diagnosis
from porter.records.environment import Environment
from porter.records.evaluation import Evaluation, Failure
from porter.records.exported import ExportReport
from porter.records.host_facts import HostFacts
from porter.records.imported import Imported
from porter.records.kit import Kit
from porter.records.loaded import LoadReport
from porter.records.message import Text
from porter.records.overall import ArtefactState, Overall
from porter.records.parity import Parity, PreprocessParity
from porter.records.performance import Performance
from porter.records.quantization import Quantization
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec
from porter.records.suspects import LabelFinding
from porter.records.tried import Tried
from porter.records.tuning import Tuning
from porter.records.unfinished import Failing, Unfinished
from porter.records.weights_audit import WeightsAudit

SCHEMA_VERSION = 3


class State(enum.StrEnum):
    """The answer of a verdict."""

    PASS = "pass"
    """It was looked at and is right."""
    FAIL = "fail"
    """It was looked at and is wrong; the exit code is 1."""
    NOT_RUN = "not run"
    """It was not looked at."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One of the five answers of a run, with its evidence."""

    name: str
    """`weights`, `parity`, `preprocessing`, `data` or `accuracy`."""
    title: Text
    """Its name in documents."""
    state: State
    """The answer."""
    evidence: tuple[Text, ...]
    """What it rests on, one line each."""
    note: Text = ""
    """What a reader must know beside the answer, e.g. that a pass rests on too few images to tell; mostly empty."""
    advice: tuple[Text, ...] = ()
    """Likely causes of a failure, likeliest first, and what to do next."""


@dataclass(frozen=True, kw_only=True)
class InputFile:
    """A file, or a folder of labels, that the run read, by content."""

    role: str
    """`config`, `checkpoint`, `labels` or `class_map`."""
    path: str
    """As the user gave it; the bare name of a shipped one."""
    sha256: str
    """Of a folder: see `porter.files.hashes.folder_digest`."""
    size_bytes: int
    """Size of the file, or of all files of the folder."""
    files: int | None = None
    """Number of files of a folder; None for a file."""
    shipped: bool = False
    """Whether it came with the plugin and not from the user."""


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file that the run wrote, by content."""

    path: str
    """Relative to the run's folder."""
    sha256: str
    """Of the file."""
    size_bytes: int
    """Size of the file."""
    what: Text
    """What it holds, in words."""


HELPER = "helper"
"""Beginning of the role of a plugin that answers for every model and offers none."""


@dataclass(frozen=True, kw_only=True)
class PluginUse:
    """Which plugin answered for the model, a runtime or the task."""

    role: str
    """`model`, `task`, `runtime NAME`, or `helper NAME`: it answers for every model and offers none."""
    plugin: str
    """Name of its entry point, or of its one file."""
    distribution: str
    """What was installed to get it; empty for one that was loaded from a file."""
    version: str
    """Version of the distribution."""
    source_sha256: str = ""
    """Over the files of its package, or of its one file: a change that raises no version shows here. Empty where there
    is no file."""


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """The manifest in figures. listed = decoded + failed."""

    root: Text
    """The data folder as typed, or that it was shipped with the plugin."""
    found: int
    """Images in the data folder, before `--limit`."""
    listed: int
    """Images of the manifest: what every accuracy divides by."""
    selection: Text
    """How they were chosen, in words."""
    labels_from: Text
    """Where the labels come from, in words."""
    label_offset: int
    """Subtracted from every label of the file."""
    manifest_sha256: str
    """Over `id TAB label` lines, in order."""
    content_sha256: str = ""
    """Over the SHA-256 of every image file, in order; empty until every image was read."""
    kept_apart: int = 0
    """Images of the folder that int8 was calibrated on, and that are therefore not listed."""
    decoded: int | None = None
    """Images that could be read whole; None: not all were read yet."""
    failed: int | None = None
    """Images that could not be read whole."""
    failures: tuple[Failure, ...] = ()
    """The first hundred of them, with the reason."""
    conversions: dict[str, int] = field(default_factory=dict)
    """Images that were not ordinary RGB JPEGs, by what was odd."""
    warnings: tuple[Text, ...] = ()
    """What was odd but not refused, one line each."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The gate metric of one artefact against a figure, in the metric's own unit."""

    evaluation: str
    """Name of the evaluation that was compared."""
    against: str
    """`reference` or `published`."""
    metric: str
    """Name of the gate metric."""
    title: Text
    """The metric's name in documents."""
    value: float
    """The evaluation's figure."""
    baseline: float | None
    """The figure that it is held against; None: there is none."""
    drop: float | None
    """baseline - value (value - baseline where lower is better); negative: the artefact is better."""
    allowed: float
    """The largest drop that passes."""
    passed: bool | None
    """None: not comparable, for `reason`."""
    reason: Text = ""
    """Why the two cannot be compared."""


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """Everything that a run measured. A section that is None, or empty, was not measured."""

    porter: str
    """Version of porter-core."""
    created: str
    """Local time with offset, ISO 8601, when the first stage began."""
    finished: str = ""
    """When the last stage ended, in the same form."""
    command: str
    """The command line that wrote the record last."""
    request: RunRequest
    """What was asked for."""
    schema_version: int = SCHEMA_VERSION
    """Version of this schema; porter reads no other."""
    kept: tuple[str, ...] = ()
    """Sections that the last command found, whose inputs had not changed, and did not make again."""
    model: ModelSpec | None = None
    """The model, resolved."""
    shipped: Text = ""
    """What of the run's inputs the plugin shipped, in words; empty: nothing."""
    plugins: tuple[PluginUse, ...] = ()
    """Which version of which plugin answered."""
    hooks: dict[str, tuple[str, ...]] | None = None
    """The hooks by which plugins may change what becomes of a sample of this model, by plugin: whoever uses an artefact
    elsewhere needs these as well, beside the task's. None: not known."""
    inputs: tuple[InputFile, ...] = ()
    """What the run read, by content."""
    made_from: tuple[InputFile, ...] = ()
    """Config and checkpoint of an imported model as its kit names them; the import did not read them."""
    environment: Environment | None = None
    """The machine that ran the last stage."""
    host_facts: HostFacts | None = None
    """What the user states of the host that the figures belong to; None: nothing."""
    load: LoadReport | None = None
    """What became of the checkpoint."""
    weights_audit: WeightsAudit | None = None
    """The loaded model held against the checkpoint's tensors, by core."""
    load_failure: str = ""
    """Why the weights could not be loaded; empty where they were, or nothing was tried."""
    export: ExportReport | None = None
    """The ONNX file."""
    data: DataReport | None = None
    """The images."""
    preprocessing: PreprocessParity | None = None
    """The model's preprocessing against its spec."""
    quantization: Quantization | None = None
    """How int8 was made; None where it was not asked for."""
    artefacts: tuple[Artefact, ...] = ()
    """The built model files."""
    untried: tuple[Untried, ...] = ()
    """What `--precision auto` could not build, with the reason."""
    unfinished: tuple[Unfinished, ...] = ()
    """The targets whose runtime failed, each with the reason; the others were delivered."""
    parity: tuple[Parity, ...] = ()
    """Each artefact against the reference on the same tensors."""
    evaluations: tuple[Evaluation, ...] = ()
    """The reference first, then each artefact."""
    audit: DataAudit | None = None
    """The images and labels themselves, looked at while the reference was scored."""
    tried: Tried | None = None
    """The usual alternatives to the declared preprocessing, scored against the labels."""
    accuracy_files: tuple[str, ...] = ()
    """Names of the files in which the task or a runtime wrote the accuracy in a format of its own."""
    label_suspects: tuple[LabelFinding, ...] = ()
    """Faults of the labels that would explain the reference's answers, best first. None is ever applied."""
    comparisons: tuple[Comparison, ...] = ()
    """The gate metric of each artefact against the reference and the published figure."""
    performance: tuple[Performance, ...] = ()
    """Each artefact at each batch size."""
    tunings: tuple[Tuning, ...] = ()
    """The search for the fastest threads, streams and batch of each artefact; empty where none was asked for."""
    kits: tuple[Kit, ...] = ()
    """What builds, runs and measures the model on other machines, for the runtimes that this one lacks."""
    imported: Imported | None = None
    """Where the figures come from, if they were measured elsewhere; None: this run measured them."""
    choice: Choice | None = None
    """What `--precision auto` chose; None where precisions were named."""
    diagnosis: Diagnosis | None = None
    """What `porter diagnose` found; None where it was not run."""
    verdicts: tuple[Verdict, ...] = ()
    """The five answers."""
    states: tuple[ArtefactState, ...] = ()
    """What became of each artefact."""
    overall: Overall | None = None
    """What the run comes to; None before anything was judged."""
    commands: dict[str, str] = field(default_factory=dict)
    """The commands that make each part again, by stage."""
    templates: tuple[str, ...] = ()
    """The plugins whose own templates the documents are made from, before core's, the first to look in first."""
    files: tuple[OutputFile, ...] = ()
    """What the run left in its folder, documents aside."""

    @property
    def scorable(self) -> tuple[Artefact, ...]:
        """The artefacts to score and time: all but those whose runtime failed before, and of those that `auto` tries
        only what did not fail parity."""
        broken = {parity.candidate for parity in self.parity if not parity.passed} if self.request.is_auto else set()
        broken |= {one.artefact for one in self.unfinished if one.stage is not Failing.BENCH}
        return tuple(artefact for artefact in self.artefacts if artefact.id not in broken)

    @property
    def delivered(self) -> frozenset[str]:
        """Ids of the artefacts that the verdicts are about: all, or the one that `auto` chose out of them."""
        if self.choice is not None and self.choice.chosen:
            return frozenset({self.choice.chosen})
        if self.imported is not None:
            return frozenset(evaluation.name for evaluation in self.evaluations)
        return frozenset(artefact.id for artefact in self.artefacts)

    def failed_targets(self, *stages: Failing) -> tuple[Unfinished, ...]:
        """The targets that failed, in these stages or in any; what `auto` tried in vain is none that was asked for."""
        if self.request.is_auto:
            return ()
        return tuple(one for one in self.unfinished if one.stage in (stages or tuple(Failing)))

    @property
    def unbuilt(self) -> tuple[str, ...]:
        """Runtimes that were asked for and have neither artefact nor kit, nor a reason why."""
        known = {one.runtime for one in self.artefacts} | {one.runtime for one in self.kits}
        known |= {one.artefact.partition("-")[0] for one in self.unfinished}
        return () if self.imported else tuple(name for name in self.request.runtimes if name not in known)

    def evaluation(self, name: str) -> Evaluation | None:
        """The evaluation of that name, or None."""
        return next((e for e in self.evaluations if e.name == name), None)
