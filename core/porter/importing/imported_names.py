"""How imported things are called in the record."""

from __future__ import annotations

from pathlib import Path

from porter.contracts.returned import NOT_REPORTED
from porter.errors import one_line
from porter.records.artefact import SessionInfo


def artefact_name(info: SessionInfo) -> str:
    """What ran, without its batch size: the runtime, and the precision where it is known."""
    return info.runtime if info.precision == NOT_REPORTED else f"{info.runtime}-{info.precision}"


def shown(folder: Path, path: Path) -> str:
    """A path as documents show it: relative to the imported folder, where it lies below."""
    return one_line(path.relative_to(folder)) if path.is_relative_to(folder) else one_line(path)
