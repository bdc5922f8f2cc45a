"""A target that failed while others went on."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Failing(enum.StrEnum):
    """The stage that a target failed in; what comes after it was not done for that target."""

    BUILD = "build"
    """There is no artefact."""
    VERIFY = "verify"
    """It was not compared with the reference, nor scored, nor measured."""
    EVALUATE = "evaluate"
    """It was neither scored nor measured."""
    BENCH = "bench"
    """It was scored and not measured."""


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A target whose runtime refuses the model, or failed: its process died, hung or ran out of memory, or its plugin
    broke."""

    artefact: str
    """The artefact's id; where none was built, runtime and precision in the same form."""
    stage: Failing
    """Where it failed."""
    reason: str
    """What happened, in one line with the end of the runtime's log."""
