"""The environments of runtimes on this machine: what `porter env` and `porter doctor` print with `--json`."""

from __future__ import annotations

import enum
from dataclasses import dataclass

ENVIRONMENTS_VERSION = 1


class EnvironmentState(enum.StrEnum):
    """What is there."""

    MADE = "made"
    """It is whole, and is used."""
    NOT_MADE = "not made yet"
    """It is made at first use."""
    INTERPRETER = "interpreter"
    """An interpreter that the plugin names: porter makes and removes nothing there."""
    NOT_WHOLE = "not whole"
    """Making it was interrupted; it is made anew at first use."""
    UNUSED = "unused"
    """No installed plugin asks for it: the plugin is gone, or its requirements or the interpreter changed."""
    UNAVAILABLE = "not available"
    """It cannot be made on this machine, for `note`."""


@dataclass(frozen=True, kw_only=True)
class RuntimeEnvironment:
    """One environment."""

    name: str
    """Its name for `porter env remove`; empty where porter has nothing to remove."""
    runtime: str
    """Name of the runtime that works in it; empty where that is not known."""
    state: EnvironmentState
    """What is there."""
    python: str
    """Version of the interpreter; empty where it is not known."""
    path: str
    """Folder of the environment, or the interpreter."""
    packages: int
    """Packages in it."""
    size_bytes: int
    """Size of all its files; 0 for an interpreter."""
    note: str = ""
    """Why it is not available; mostly empty."""


@dataclass(frozen=True, kw_only=True)
class EnvironmentReport:
    """Every environment that a plugin asks for, or that lies in the cache folder."""

    environments_version: int = ENVIRONMENTS_VERSION
    """Version of this schema."""
    folder: str
    """Where porter makes them."""
    environments: tuple[RuntimeEnvironment, ...]
    """What is there, after the command."""
    removed: tuple[RuntimeEnvironment, ...] = ()
    """What the command removed."""
