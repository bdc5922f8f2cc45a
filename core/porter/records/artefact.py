"""An artefact (a file that a runtime loads), and what really ran when it was opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One built model file."""

    runtime: str
    """Name of the runtime that loads it."""
    precision: str
    """`fp32`, `bf16`, `fp16` or `int8`."""
    path: str
    """Relative to the run's folder."""
    batch: int | None = None
    """Fixed batch size; None: dynamic."""
    command: str = ""
    """How it was made, as typed or called."""
    sha256: str = ""
    """Of the file; it is checked again before each use."""
    size_bytes: int = 0
    """Size of the file."""

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
    threads: int
    """Threads within an operator."""
    batch: int | None = None
    """Batch size that the artefact is fixed to; None: any."""
