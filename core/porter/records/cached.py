"""What a run's folder keeps between commands: what `porter cache` prints with `--json`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

CACHE_VERSION = 1


class CacheKind(enum.StrEnum):
    """What is kept."""

    PREDICTIONS = "predictions"
    """The journal of one evaluation: an interrupted one goes on from it, a whole one is not done again."""
    TENSORS = "tensors"
    """Preprocessed images, from `porter preprocess`."""
    OUTPUTS = "outputs"
    """Outputs of the reference or of one artefact, from `porter infer`."""
    TRACES = "traces"
    """What is kept of the reference's outputs, which those of artefacts are compared with."""
    COMPILED = "compiled"
    """An artefact as its runtime compiled it for this machine."""
    ATTEMPTS = "attempts"
    """Those of an int8 search that was interrupted, which goes on from them."""
    OTHER = "other"
    """Nothing that this porter knows."""


class CacheState(enum.StrEnum):
    """What the next command makes of it."""

    VALID = "valid"
    """It belongs to the record, and is as it was written."""
    STALE = "stale"
    """It was made from something else than the record; the next command passes over it."""
    DAMAGED = "damaged"
    """It is not as it was written; the next command takes what comes before the damage, or nothing."""
    UNKNOWN = "not known"
    """Whether it belongs to the record cannot be told here."""


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One thing that is kept."""

    kind: CacheKind
    """What it is."""
    path: str
    """File or folder, relative to the run's folder."""
    state: CacheState
    """What the next command makes of it."""
    reason: str
    """Why it is not valid, or that it is not whole; mostly empty."""
    entries: int | None
    """Images that it holds; None where it holds none, or cannot be read."""
    size_bytes: int
    """Size of all its files."""
    modified: str
    """When it was last written, local time with offset, ISO 8601; empty where no calendar has the time."""


@dataclass(frozen=True, kw_only=True)
class CacheReport:
    """Everything that a run's folder keeps, artefacts and documents aside."""

    cache_version: int = CACHE_VERSION
    """Version of this schema."""
    folder: str
    """The run's folder, as typed."""
    kept: tuple[Cached, ...]
    """What is there, after the command."""
    removed: tuple[Cached, ...] = ()
    """What the command removed."""
