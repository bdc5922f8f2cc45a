"""An artefact (a file that a runtime loads), and what really ran when it was opened."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.calibration import CalibrationData
from porter.records.environment_lock import EnvironmentLock
from porter.records.message import Message, Text

CHANGED = Message("changed after it was built")
"""How an artefact was made that is no longer what its runtime built."""


@dataclass(frozen=True, kw_only=True)
class ArtefactPart:
    """A further file that an artefact cannot do without, e.g. the weights beside a graph."""

    path: str
    """Relative to the run's folder."""
    sha256: str
    """Of the file; it is checked again before each use."""
    size_bytes: int
    """Size of the file."""


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One built model: a file, and the further ones that belong to it."""

    runtime: str
    """Name of the runtime that loads it."""
    precision: str
    """Name of its precision."""
    path: str
    """The file that the runtime is given, relative to the run's folder."""
    batch: int | None = None
    """Fixed batch size; None: dynamic."""
    command: Text = ""
    """How it was made: the command as typed or called, or in words."""
    sha256: str = ""
    """Of the file; it is checked again before each use."""
    size_bytes: int = 0
    """Size of the file."""
    parts: tuple[ArtefactPart, ...] = ()
    """The further files; each is checked as the first one is."""
    options: dict[str, str | int | float | bool] = field(default_factory=dict)
    """The runtime's own options, each as given or its default; set by core."""
    calibration: CalibrationData | None = None
    """The images that the runtime's own quantiser was given; None: it quantised nothing. Set by core."""
    environment: EnvironmentLock | None = None
    """The environment that the runtime works in; None: porter's own."""

    @property
    def files(self) -> tuple[ArtefactPart, ...]:
        """Every file of the artefact, the first one included."""
        return (ArtefactPart(path=self.path, sha256=self.sha256, size_bytes=self.size_bytes), *self.parts)

    @property
    def id(self) -> str:
        """Name of the artefact in file names and tables."""
        return f"{self.runtime}-{self.precision}" + (f"-bs{self.batch}" if self.batch else "")


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """Read back from the runtime after the session was opened, never copied from what was asked."""

    runtime: str
    """Name of the runtime."""
    version: str
    """Version of the runtime's package."""
    precision: str
    """Precision that the session computes in."""
    provider: str
    """Execution provider or device in use."""
    threads: int | None
    """Threads of the session, all its streams together; None: it does not run on processors."""
    streams: int = 1
    """Batches that it works on at once, each with its share of the threads."""
    batch: int | None = None
    """Batch size that the artefact or this session is fixed to; None: any."""
    layers: dict[str, int] = field(default_factory=dict)
    """Convolutions and matrix products by the precision that each runs in; empty where the runtime does not say."""
    loaded_from_cache: bool = False
    """Whether it was compiled by an earlier session and loaded from disk: its load time is then no other's."""
    environment_sha256: str = ""
    """The lock of the environment that it works in, which the artefact has in full; empty: porter's own."""
    placement: dict[str, int] = field(default_factory=dict)
    """Nodes of the graph by the provider that runs them; empty where the runtime does not say."""
    announced: dict[str, Text] = field(default_factory=dict)
    """Fields of this record that differ from what was asked for because the runtime has no such setting, each with the
    reason: `{"threads": "…"}`. Any other difference ends the target."""

    @property
    def threads_a_stream(self) -> int:
        """Processors that one batch is inferred on; 0 where that is done elsewhere."""
        return 0 if self.threads is None else max(1, self.threads // self.streams)
