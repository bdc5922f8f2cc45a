"""What a runtime is: it builds artefacts from ONNX, opens sessions on them, and answers for a machine that has it.

Each method takes one request, so that a request can gain a field without breaking a plugin.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from porter.contracts.measured import Measured
from porter.contracts.probe import Probe
from porter.contracts.progress import Progress
from porter.contracts.returned import Returned
from porter.contracts.worker_environment import WorkerEnvironment
from porter.errors import BadInput, Missing, PluginError
from porter.records.artefact import Artefact, SessionInfo
from porter.records.environment_lock import EnvironmentLock
from porter.records.evaluation import Metric
from porter.records.kit import Kit
from porter.records.manifest import Manifest
from porter.records.precision import Precision
from porter.records.record import InputFile
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np

OptionValue: TypeAlias = str | int | float | bool
"""What an option of a runtime can be."""
Options: TypeAlias = Mapping[str, OptionValue]
"""Every option that a runtime declares, by its name: as given, or its default."""


@dataclass(frozen=True, kw_only=True)
class RuntimeOption:
    """An option of a runtime's own, given as `--option RUNTIME.NAME=VALUE`."""

    name: str
    """One word of letters, digits and `_`, `-`."""
    default: OptionValue
    """Its type is the option's: text, whole number, number, or true and false."""
    help: str
    """What it does, in one line."""
    choices: tuple[OptionValue, ...] = ()
    """The values that it takes; empty: any of its type."""


@dataclass(frozen=True, kw_only=True)
class RuntimeStatus:
    """What `porter doctor` says of a runtime on this machine."""

    available: bool
    """Whether it can be used."""
    version: str = ""
    """Version of its package."""
    devices: tuple[str, ...] = ()
    """Devices or execution providers that it has here."""
    precisions: tuple[str, ...] = ()
    """Precisions that it can build."""
    advice: str = ""
    """How to get it, where it is not available; else how to get what it lacks here."""
    details: tuple[str, ...] = ()
    """Its parts, each in words: which are here, and in which version."""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """One artefact to build from the exported ONNX file."""

    onnx: Path
    """The exported file; for `int8` its quantised form, with QuantizeLinear and DequantizeLinear."""
    spec: ModelSpec
    """The model."""
    folder: Path
    """Where artefacts are written (`models/` of the run)."""
    precision: str = "fp32"
    """Precision to build at."""
    batch: int | None = None
    """Fixed batch size; None: dynamic, where the runtime can."""
    target: str | None = None
    """The chip to build for: what `Runtime.target` answered; None: the runtime needs to know none."""
    options: Options = field(default_factory=dict)
    """The runtime's own options."""
    calibration: Callable[[], Iterable[Mapping[str, np.ndarray]]] | None = None
    """Calibration images as the model takes them, one float32 1×… at a time, in an order that never changes; given for
    a precision that `Runtime.calibrates` names. Can be called more than once."""
    module: Any = None
    """The loaded `torch.nn.Module` in eval mode, where `Runtime.takes_module` is true; None: the model has none."""
    progress: Progress = field(default_factory=Progress)
    """How to say that a long build moves."""


Preprocessed: TypeAlias = "tuple[int, np.ndarray | None, str]"
"""Place of an image in the manifest, its float32 C×H×W, or None and why it cannot be read."""


@dataclass(frozen=True, kw_only=True)
class KitRequest:
    """What goes into a kit."""

    onnx: Path
    """The exported file."""
    spec: ModelSpec
    """The model."""
    folder: Path
    """Where the kit is written, in the run's folder."""
    precision: str
    """Precision to build at."""
    target: str | None
    """The chip to build for."""
    batches: tuple[int, ...]
    """Batch sizes to build and to measure."""
    scored: tuple[int, ...]
    """Those of them that run every image."""
    manifest: Manifest
    """The images."""
    images: Iterable[Preprocessed]
    """Every image of the manifest, in order."""
    created: str
    """Local time with offset, ISO 8601."""
    made_from: tuple[InputFile, ...] = ()
    """Config and checkpoint of the model, by name alone, for whoever reads the results."""
    options: Options = field(default_factory=dict)
    """The runtime's own options."""


@dataclass(frozen=True, kw_only=True)
class OpenRequest:
    """Which artefact to open, and how."""

    artefact: Artefact
    """What `Runtime.build` answered."""
    path: Path
    """Where its file is."""
    spec: ModelSpec
    """The model."""
    options: Options = field(default_factory=dict)
    """The runtime's own options."""
    threads: int
    """Threads of the session, all its streams together."""
    streams: int = 1
    """Calls of `Session.run` that will be made at once, from as many threads. `SessionInfo.streams` says what is so."""
    yielding: bool = False
    """Whether other threads of this process work beside the session: its own are then to sleep between calls."""
    provider: str | None = None
    """Execution provider or device; None: the runtime's own default, recorded in `SessionInfo`."""
    batch: int | None = None
    """The only batch size that will be fed; None: any. A runtime may use it to be faster; `SessionInfo.batch` says."""
    cache: Path | None = None
    """Folder in which a runtime may keep what it compiled; None: compile anew. `SessionInfo.loaded_from_cache` says."""


@dataclass(frozen=True, kw_only=True)
class ProbeRequest:
    """A graph whose intermediate tensors are wanted."""

    onnx: Path
    """The ONNX file: the artefact itself, or what it was built from, or one that a user named. Core reads it as well,
    for the graph behind the tensors."""
    precision: str
    """Precision to compute in."""
    threads: int
    """Threads to use."""
    artefact: Artefact | None = None
    """The artefact of a run that is diagnosed; None: there is only the ONNX file."""
    path: Path | None = None
    """Where the artefact's file is, which is what should be probed; None: there is only the ONNX file."""
    spec: ModelSpec | None = None
    """The model; None: there is only the ONNX file."""
    target: str | None = None
    """The chip, as in `BuildRequest`."""
    options: Options = field(default_factory=dict)
    """The runtime's own options."""


@dataclass(frozen=True, kw_only=True)
class TakeBackRequest:
    """What came back from another machine."""

    folder: Path
    """A kit with its results, or any folder with the reports and outputs of the runtime's tools."""
    options: Options = field(default_factory=dict)
    """The runtime's own options."""


class Session(abc.ABC):
    """An artefact in memory, ready to run. `info` states what really runs, read back from the runtime."""

    info: SessionInfo
    """What really runs."""
    cuts: bool = False
    """Whether `run` takes any number of rows although the artefact is fixed to a batch size, and cuts and pads them."""
    least_rows: int = 1
    """Rows that one call is worth, where each costs much beside them, as starting a program and loading a model do;
    evaluation gathers as many."""

    @abc.abstractmethod
    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run one batch.

        `feeds` has every input by name, N×… in its dtype and layout. Returns every output by name, N rows each, or as
        many as the graph gives where it declares so (`TensorSpec.index_column`). Called from `OpenRequest.streams`
        threads at once, or from more where `Runtime.queues` is true.
        """

    def measure(self, batch: int) -> Measured | None:
        """Pure inference at one batch size by the runtime's own tool; None: it has none, and calls are timed here.

        For runtimes whose `run` starts a program: the time of that is not the model's.
        """
        return None

    def close(self) -> None:  # noqa: B027 - most sessions have nothing to release
        """Release what the session holds."""


class Runtime(abc.ABC):
    """A runtime that a plugin offers through `porter_runtimes`."""

    name: str
    """The name on the command line."""
    own_precision: str = "fp32"
    """What it builds where no precision is asked for."""
    precisions: tuple[Precision, ...] = ()
    """Precisions that it can build and that porter's own table (`porter.records.precision`) lacks."""
    calibrates: frozenset[str] = frozenset()
    """Precisions that it quantises itself, from the float graph and `BuildRequest.calibration`. Of any other `int8` it
    is given porter's own quantised graph."""
    options: tuple[RuntimeOption, ...] = ()
    """Options of its own."""
    as_it_is: bool = False
    """Whether it computes a file in the file's own types, so that a model which comes in a precision of its own
    (`ModelSpec.precision`) is built in that one, whatever `status` offers."""
    takes_module: bool = False
    """Whether it builds from the loaded PyTorch module, `BuildRequest.module`."""
    fixed_batch: bool = False
    """Whether an artefact is for one batch size alone, so that one is built for each."""
    queues: bool = False
    """Whether a session takes calls from more threads than it has streams and lines them up, first come, first served,
    so that a stream need not wait for who calls it."""
    has_kit: bool = False
    """Whether `write_kit` writes what does on another machine what this runtime cannot do here."""
    takes_back: bool = False
    """Whether `take_back` reads what was measured elsewhere: `porter import NAME FOLDER`."""
    environment: WorkerEnvironment | None = None
    """The environment that it works in, see `WorkerRuntime`; None: porter's own."""
    probes: bool = False
    """Whether `probe` gives values inside the graph, which `porter diagnose` compares."""
    files: tuple[str, ...] = ()
    """Names of the files that `documents` may write into a run's folder."""
    templates: Path | None = None
    """Folder of templates that go before core's, with catalogues in `languages/` beside them; None: core's alone."""

    @abc.abstractmethod
    def status(self) -> RuntimeStatus:
        """Whether it is here, its version, devices and precisions. Never raises."""

    def require(self, precision: str, provider: str | None) -> None:
        """Stop before any work where this runtime cannot do what is asked. Raises `Missing` or `BadInput`."""
        status = self.status()
        if not status.available:
            raise Missing(f"runtime {self.name} is not available. {status.advice}")
        if precision not in status.precisions:
            raise BadInput(
                f"runtime {self.name} has no {precision} on this machine (available: {', '.join(status.precisions)})"
            )

    def prepare(self, progress: Progress) -> None:  # noqa: B027 - most need nothing
        """Make ready what can take minutes, such as its environment, before the first expensive step of a run.

        Raises `Missing` or `BadInput` where it cannot be had.
        """

    def lock(self) -> EnvironmentLock | None:
        """What its environment holds now; None: it works in porter's own, or the environment is not made yet."""
        return None

    def target(self, asked: str | None) -> str | None:
        """The chip to build for, where `asked` was given or not; None: this runtime needs to know none.

        Raises `BadInput` where it needs one that is neither given nor to be found.
        """
        return None

    @abc.abstractmethod
    def build(self, request: BuildRequest) -> Artefact:
        """Make the artefact and read it back. Raises `Missing` or `BadInput` with one clear line."""

    @abc.abstractmethod
    def open(self, request: OpenRequest) -> Session:
        """Open an artefact. What was asked for and is not in use is an error, or stands in `SessionInfo.announced`."""

    def probe(self, request: ProbeRequest) -> Probe:
        """Values inside the graph. Called only where `probes` is true. Raises `Missing` or `BadInput`."""
        raise PluginError(f"runtime {self.name!r} declares probe and does not implement it")

    def write_kit(self, request: KitRequest) -> Kit:
        """Write the kit, whole or not at all. Called only where `has_kit` is true."""
        raise PluginError(f"runtime {self.name!r} declares a kit and does not implement it")

    def take_back(self, request: TakeBackRequest) -> Returned:
        """Read what was measured elsewhere: the inverse of `write_kit`. Called only where `takes_back` is true.

        A file that is broken is a finding and stops nothing. Raises `BadInput` where the folder holds nothing of use.
        """
        raise PluginError(f"runtime {self.name!r} declares take_back and does not implement it")

    def documents(self, metrics: Sequence[Metric], spec: ModelSpec) -> Mapping[str, bytes]:
        """The content of `files`, by name: the accuracy of the artefact that is delivered, in the form in which the
        users of this runtime compare it. Asked of every installed runtime; what means nothing for `spec` is left out.
        """
        return {}
