"""What a runtime is: it builds artefacts from ONNX and opens sessions on them."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from porter.errors import BadInput, Missing
from porter.records.artefact import Artefact, SessionInfo
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np


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
    """How to get it, where it is not available."""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """One artefact to build from the exported ONNX file."""

    onnx: Path
    """The exported file."""
    spec: ModelSpec
    """The model."""
    folder: Path
    """Where artefacts are written (`models/` of the run)."""
    precision: str = "fp32"
    """Precision to build at."""
    batch: int | None = None
    """Fixed batch size; None: dynamic, where the runtime can."""


@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    """How a session is opened."""

    threads: int
    """Threads within an operator."""
    provider: str | None = None
    """Execution provider or device; None: the runtime's own default, recorded in `SessionInfo`."""
    batch: int | None = None
    """The only batch size that will be fed; None: any. A runtime may use it to be faster; `SessionInfo.batch` says."""


class Session(abc.ABC):
    """An artefact in memory, ready to run. `info` states what really runs, read back from the runtime."""

    info: SessionInfo
    """What really runs."""

    @abc.abstractmethod
    def run(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Run one batch.

        `batch` is N×… in the dtype and layout of the model's input. Returns every output by name, N rows each.
        """

    def close(self) -> None:  # noqa: B027 - most sessions have nothing to release
        """Release what the session holds."""


class Runtime(abc.ABC):
    """A runtime that a plugin offers through `porter_runtimes`."""

    name: str
    """The name on the command line."""

    @abc.abstractmethod
    def status(self) -> RuntimeStatus:
        """Whether it is here, its version, devices and precisions. Never raises."""

    def require(self, precision: str, provider: str | None) -> None:
        """Stop before any work where this runtime cannot do what is asked. Raises `Missing` or `BadInput`."""
        status = self.status()
        if not status.available:
            raise Missing(f"runtime {self.name} is not available: {status.advice}")
        if precision not in status.precisions:
            raise BadInput(f"runtime {self.name} offers precision {', '.join(status.precisions)} here, not {precision}")

    @abc.abstractmethod
    def build(self, request: BuildRequest) -> Artefact:
        """Make the artefact and read it back. Raises `Missing` or `BadInput` with one clear line."""

    @abc.abstractmethod
    def open(self, artefact: Artefact, path: Path, options: SessionOptions) -> Session:
        """Open the artefact that lies at `path`. What was asked for and is not in use is an error."""
