"""A kit: what builds, runs and measures a model on another machine, where this one lacks the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.artefact import Artefact


@dataclass(frozen=True, kw_only=True)
class Kit:
    """A kit that the run wrote. Nothing was measured on its runtime until what it leaves there is imported."""

    runtime: str
    """Name of the runtime that this machine lacks."""
    lacks: str
    """What this machine lacks, and how to get it."""
    path: str
    """Folder of the kit, relative to the run's."""
    list: str
    """The file of the kit that lists what is in it, relative to the run's folder."""
    sha256: str
    """Of that file."""
    script: str
    """What is to be run on the other machine, relative to the kit."""
    take_back: str
    """The command that imports what the kit left there."""
    target: str
    """The chip that it builds for."""
    precision: str
    """Precision of the artefacts."""
    batches: tuple[int, ...]
    """Batch sizes that are built and measured."""
    scored: tuple[int, ...]
    """Those of them that run every image."""
    built: tuple[Artefact, ...] = ()
    """Artefacts that this machine could build, though not run; the script builds them again."""
    images: int
    """Preprocessed images in it."""
    size_bytes: int
    """Size of all its files."""
