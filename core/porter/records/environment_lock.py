"""The environment of a runtime that does not work in porter's process, by its lock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EnvironmentLock:
    """Interpreter and packages, as they were found in the environment."""

    sha256: str
    """Over everything below."""
    python: str
    """Version of the interpreter, with its implementation where it is not CPython."""
    platform: str
    """System and processor, as the interpreter names them."""
    packages: tuple[str, ...]
    """Every package as NAME==VERSION, in order."""
