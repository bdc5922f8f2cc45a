"""The options of a run: one table, from which the command line, the record's sections and the documents' commands are
made."""

from __future__ import annotations

import enum
from dataclasses import MISSING, dataclass, fields
from typing import Any

from porter.records.request import RunRequest

LANGUAGES = ("en", "zh")


class Heading(enum.StrEnum):
    """The headings of a long help, in order."""

    MODEL = "Model"
    DATA = "Data"
    TARGETS = "Targets"
    ACCURACY = "Accuracy"
    SPEED = "Speed"
    DOCUMENTS = "Documents"
    EXECUTION = "Execution"


class Kind(enum.Enum):
    """What the value of an option is."""

    TEXT = enum.auto()
    YES = enum.auto()
    """A flag without a value."""
    INTEGER = enum.auto()
    COUNT = enum.auto()
    """A whole number from 1 on."""
    AMOUNT = enum.auto()
    """A finite number from 0 on."""
    CHOICE = enum.auto()
    BATCH_SIZES = enum.auto()
    LANGUAGES = enum.auto()
    RESOURCES = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of the command line."""

    field: str
    """The field of `RunRequest` that it fills; of an option in `HOW`, its name alone."""
    flags: tuple[str, ...] = ()
    """As typed, the usual one first; none: `--` and the field's name with hyphens. The model is an argument."""
    kind: Kind = Kind.TEXT
    metavar: str = ""
    """What stands for the value in the help; empty: the kind says it."""
    choices: tuple[str, ...] = ()
    help: str
    """One sentence, without the default."""
    default: str = ""
    """The default in words, where the field's own says too little."""
    repeated: bool = False
    """Given once for each value."""
    heading: Heading
    advanced: bool = False
    """Rarely needed: it stands at the end of the help."""
    makes: tuple[str, ...] = ()
    """Sections of the record that are made from it, and stale when it changes."""
    commands: tuple[str, ...]
    """Commands that take it."""
    each_time: bool = False
    """It lets code run. So it is given with each command and never read from a record, which may be somebody else's."""

    @property
    def flag(self) -> str:
        """The flag that porter writes."""
        return self.flags[0] if self.flags else f"--{self.field.replace('_', '-')}"

    @property
    def shown_default(self) -> str:
        """The default as the help shows it; empty: none, or no default worth a word."""
        value = DEFAULTS.get(self.field)
        if self.default or value is None or isinstance(value, bool) or value == ():
            return self.default
        if isinstance(value, tuple):
            return ",".join(map(str, value))
        return f"{value:g}" if isinstance(value, float) else str(value)


DEFAULTS: dict[str, Any] = {f.name: f.default for f in fields(RunRequest) if f.default is not MISSING}
"""Field of `RunRequest`: its default."""

EXPORT = ("run", "export")
FROM_MODEL = (*EXPORT, "preprocess")
ON_IMAGES = ("run", "verify", "preprocess", "infer", "evaluate", "bench")
ON_ARTEFACTS = ("run", "verify", "infer", "evaluate", "bench")
SCORING = ("run", "evaluate")
MEASURING = ("run", "bench")
DELIVERING = ("run", "report")
GRAPHS, RUN_DIAGNOSIS = "diagnose graphs", "diagnose run"

OPTIONS = (
    Option(
        field="model",
        metavar="MODEL",
        help="Name of the model",
        heading=Heading.MODEL,
        makes=("load",),
        commands=(*ON_IMAGES, "export"),
    ),
    Option(
        field="config",
        metavar="FILE",
        help="Config of the model",
        heading=Heading.MODEL,
        makes=("load",),
        commands=FROM_MODEL,
    ),
    Option(
        field="checkpoint",
        metavar="FILE",
        help="Checkpoint file (.pth, .pth.tar, .safetensors)",
        heading=Heading.MODEL,
        makes=("load",),
        commands=FROM_MODEL,
    ),
    Option(
        field="weights",
        metavar="KEY",
        help="Key of the weights to use if the checkpoint has several, e.g. state_dict_ema",
        heading=Heading.MODEL,
        makes=("load",),
        commands=EXPORT,
    ),
    Option(
        field="checkpoint_sha256",
        metavar="HEX",
        help="Fail if the SHA-256 of the checkpoint differs from HEX",
        heading=Heading.MODEL,
        advanced=True,
        makes=("load",),
        commands=EXPORT,
    ),
    Option(
        field="checkpoint_md5",
        metavar="HEX",
        help="Fail if the MD5 of the checkpoint differs from HEX",
        heading=Heading.MODEL,
        advanced=True,
        makes=("load",),
        commands=EXPORT,
    ),
    Option(
        field="trust_checkpoint",
        kind=Kind.YES,
        help="Allow unpickling of the checkpoint, which can run code stored in the file",
        heading=Heading.MODEL,
        advanced=True,
        commands=(*EXPORT, "verify", "infer", "evaluate", RUN_DIAGNOSIS),
        each_time=True,
    ),
    Option(
        field="opset",
        kind=Kind.INTEGER,
        metavar="N",
        help="ONNX opset of the exported file",
        default="the model's own, else 11",
        heading=Heading.MODEL,
        advanced=True,
        makes=("export",),
        commands=EXPORT,
    ),
    Option(
        field="data",
        metavar="DIR",
        help="Folder of images, or an fsspec URL such as s3://bucket/val",
        heading=Heading.DATA,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="labels",
        metavar="PATH",
        help="Label file with lines NAME LABEL, or another form that the model's task reads",
        default="one folder per class",
        heading=Heading.DATA,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="limit",
        kind=Kind.COUNT,
        metavar="N",
        help="Number of images to use, evenly spaced",
        default="all",
        heading=Heading.DATA,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="class_map",
        metavar="FILE",
        help="Class map with lines FOLDER INDEX, for one folder per class",
        heading=Heading.DATA,
        advanced=True,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="label_offset",
        kind=Kind.INTEGER,
        metavar="N",
        help="Number to subtract from every label",
        heading=Heading.DATA,
        advanced=True,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="approximate_decode",
        kind=Kind.YES,
        help="Decode large JPEGs at reduced size: faster, changes pixels; the effect on accuracy is reported",
        heading=Heading.DATA,
        advanced=True,
        makes=("data",),
        commands=ON_IMAGES,
    ),
    Option(
        field="runtimes",
        flags=("--runtime",),
        metavar="NAME",
        help="Runtime to build for; repeat for several",
        default="onnxruntime; with --precision auto all",
        repeated=True,
        heading=Heading.TARGETS,
        makes=("artefacts", "quantization", "kits"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="precisions",
        flags=("--precision",),
        metavar="NAME",
        help="Data type: fp32, bf16, fp16, int8, a runtime's own, or auto for the fastest that passes; repeat for "
        "several",
        repeated=True,
        heading=Heading.TARGETS,
        makes=("artefacts", "quantization", "kits", "choice"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="targets",
        flags=("--target", "--soc-version"),
        metavar="[RUNTIME=]NAME",
        help="Chip to build for, as its compiler names it; repeat for several",
        repeated=True,
        heading=Heading.TARGETS,
        makes=("artefacts", "kits"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="options",
        flags=("--option",),
        metavar="RUNTIME.NAME=VALUE",
        help="Option of one runtime, as `porter doctor` lists it; repeat for several",
        repeated=True,
        heading=Heading.TARGETS,
        advanced=True,
        makes=("artefacts", "kits"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="calibration",
        metavar="DIR",
        help="Folder of images to calibrate int8 on",
        default="some of --data, which are then not scored",
        heading=Heading.TARGETS,
        advanced=True,
        makes=("artefacts", "quantization"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="calibration_images",
        kind=Kind.COUNT,
        metavar="N",
        help="Largest number of calibration images",
        heading=Heading.TARGETS,
        advanced=True,
        makes=("artefacts", "quantization"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="search_seconds",
        kind=Kind.AMOUNT,
        metavar="S",
        help="Time limit of the int8 search, in seconds",
        heading=Heading.TARGETS,
        advanced=True,
        makes=("artefacts", "quantization"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="max_drop",
        kind=Kind.AMOUNT,
        metavar="X",
        help="Largest accuracy drop allowed, in percentage points",
        heading=Heading.ACCURACY,
        makes=("quantization", "comparisons"),
        commands=SCORING,
    ),
    Option(
        field="batch",
        kind=Kind.COUNT,
        metavar="N",
        help="Batch size of the evaluation",
        default="of --batch-sizes up to 16 the one nearest to 8",
        heading=Heading.ACCURACY,
        makes=("evaluations", "kits"),
        commands=(*SCORING, "infer"),
    ),
    Option(
        field="atol",
        kind=Kind.AMOUNT,
        metavar="X",
        help="Absolute tolerance of parity",
        default="1e-05",
        heading=Heading.ACCURACY,
        advanced=True,
        makes=("parity", "diagnosis"),
        commands=("run", "verify", GRAPHS),
    ),
    Option(
        field="rtol",
        kind=Kind.AMOUNT,
        metavar="X",
        help="Relative tolerance of parity",
        default="0.0001 for fp32, an estimate below",
        heading=Heading.ACCURACY,
        advanced=True,
        makes=("parity", "diagnosis"),
        commands=("run", "verify", GRAPHS),
    ),
    Option(
        field="batch_sizes",
        kind=Kind.BATCH_SIZES,
        metavar="N,N",
        help="Batch sizes to measure",
        heading=Heading.SPEED,
        makes=("evaluations", "performance", "kits"),
        commands=("run", "infer", "evaluate", "bench"),
    ),
    Option(
        field="bench_seconds",
        kind=Kind.AMOUNT,
        metavar="S",
        help="Minimum measuring time per batch size, in seconds",
        heading=Heading.SPEED,
        makes=("performance",),
        commands=MEASURING,
    ),
    Option(
        field="tune",
        kind=Kind.YES,
        help="Search threads, streams, batch size and queued calls for the highest throughput, and measure it as well",
        heading=Heading.SPEED,
        makes=("performance",),
        commands=MEASURING,
    ),
    Option(
        field="bench_input",
        kind=Kind.CHOICE,
        choices=("images", "random"),
        help="Input of the measurement: preprocessed images or random values",
        heading=Heading.SPEED,
        advanced=True,
        makes=("performance",),
        commands=MEASURING,
    ),
    Option(
        field="languages",
        flags=("--lang",),
        kind=Kind.LANGUAGES,
        metavar=",".join(LANGUAGES),
        help="Languages of the documents: README.md is English, README.zh.md Chinese",
        default="en,zh; those of the run for report",
        heading=Heading.DOCUMENTS,
        commands=DELIVERING,
    ),
    Option(
        field="model_card",
        kind=Kind.YES,
        help="Add the metadata that model hubs read to README.md",
        heading=Heading.DOCUMENTS,
        commands=DELIVERING,
    ),
    Option(
        field="threads",
        kind=Kind.COUNT,
        metavar="N",
        help="Threads per session",
        default="all CPUs",
        heading=Heading.EXECUTION,
        makes=("parity", "evaluations", "performance"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="streams",
        kind=Kind.COUNT,
        metavar="N",
        help="Batches in flight per session",
        default="1 for bench; the number of CPUs, up to 4, for evaluate",
        heading=Heading.EXECUTION,
        makes=("parity", "evaluations", "performance"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="provider",
        metavar="NAME",
        help="Execution provider of the runtime, e.g. CUDAExecutionProvider; an absent one is an error",
        default="the runtime's own",
        heading=Heading.EXECUTION,
        makes=("parity", "evaluations", "performance"),
        commands=ON_ARTEFACTS,
    ),
    Option(
        field="plugin_files",
        flags=("--plugin",),
        metavar="FILE.py",
        help="Plugin in one file, loaded beside the installed ones; repeat for several",
        repeated=True,
        heading=Heading.EXECUTION,
        commands=(
            *(*ON_IMAGES, "export", RUN_DIAGNOSIS, "diagnose tensors"),
            *("import", "report", "cache", "plugins", "doctor"),
        ),
        each_time=True,
    ),
)
"""One row for each field of `RunRequest`, in the order of the help."""

HOW = (
    Option(
        field="executor",
        kind=Kind.CHOICE,
        choices=("local", "ray"),
        help="Where images are evaluated: in this process, or by the workers of a Ray cluster",
        default="local",
        heading=Heading.EXECUTION,
        advanced=True,
        commands=SCORING,
    ),
    Option(
        field="ray_address",
        metavar="ADDR",
        help="Address of the Ray cluster, e.g. HOST:6379 or auto",
        default="a cluster on this machine",
        heading=Heading.EXECUTION,
        advanced=True,
        commands=SCORING,
    ),
    Option(
        field="workers",
        kind=Kind.COUNT,
        metavar="N",
        help="Workers of the Ray cluster",
        default="as many as it has room for",
        heading=Heading.EXECUTION,
        advanced=True,
        commands=SCORING,
    ),
    Option(
        field="worker_resources",
        kind=Kind.RESOURCES,
        metavar="NAME=N,…",
        help="Resources that a worker takes of its machine, e.g. CPU=4,GPU=1",
        default="a CPU for each thread",
        heading=Heading.EXECUTION,
        advanced=True,
        commands=SCORING,
    ),
)
"""Options that say how the work is done, not what: no part of a `RunRequest`."""


def taken_by(command: str) -> tuple[Option, ...]:
    """The options of a command, in the order of the table; the model is its argument and none of them."""
    return tuple(row for row in (*OPTIONS, *HOW) if command in row.commands and row.field != "model")
