"""What a run comes to: one state for the whole, one for each artefact."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.message import Text


class Standing(enum.StrEnum):
    """The state of a whole run."""

    PASS = "pass"
    """Everything that was asked for was checked, and passes."""
    UNPROVEN = "unproven"
    """Nothing fails, but the images are too few to rule out the drop that is allowed."""
    FAIL = "fail"
    """A verdict fails; the exit code is 1."""
    INCOMPLETE = "incomplete"
    """Nothing fails, but something that was asked for did not run."""
    IMPORTED = "imported"
    """The figures were measured elsewhere; of what this run could check, nothing fails."""
    NOT_VERIFIED = "not verified"
    """Nothing was checked."""


@dataclass(frozen=True, kw_only=True)
class Overall:
    """The first lines of every document."""

    standing: Standing
    """The state."""
    sentences: tuple[Text, ...]
    """What it rests on: where something fails, its cause first."""
    command: str = ""
    """What to type next; empty: nothing is left to do."""


@dataclass(frozen=True, kw_only=True)
class ArtefactState:
    """What became of one artefact, or of the reference."""

    name: str
    """The artefact's id, or `reference`."""
    passed: bool | None
    """None: it was not compared with anything, so that it neither passed nor failed."""
    state: Text
    """What fails, or what was not done, in a word or two; empty where it passes."""
    size_mib: float | None = None
    """Size of all its files, MiB; None: it has none."""
