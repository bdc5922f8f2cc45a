"""What a session gets wrong, as a check found it."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class SessionFinding:
    """One thing that a session gets wrong."""

    check: str
    """Name of the check that found it, e.g. `last-row`."""
    title: Text
    """What is wrong, in a few words."""
    detail: Text
    """Where it showed, with figures."""
    fails: bool = True
    """Whether parity fails by it; False: it is within what the precision rounds, and is said."""
