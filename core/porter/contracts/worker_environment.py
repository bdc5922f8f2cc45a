"""The environment of a runtime whose packages do not go with porter's: another interpreter, or other versions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class WorkerEnvironment:
    """Where a worker runs: an environment that porter makes once from a file of requirements, or an interpreter that is
    there already."""

    requirements: Path | None = None
    """Pinned requirements as pip reads them; with hashes, all are checked. None: nothing is installed, and `python` is
    used as it is."""
    python: str = ""
    """The interpreter: a version (`3.10`), a name on PATH (`python3.10`), or a path. Empty: the one that runs porter,
    which without `requirements` is refused."""
