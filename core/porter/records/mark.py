"""What speaks against a figure of speed."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One thing that does not fit, as a check found it."""

    check: str
    """Name of the check, e.g. `two-levels`."""
    text: Text
    """What is wrong, with figures."""
    impossible: bool = False
    """Whether the figure cannot be right, so that the verdict fails; False: it holds, and this is to be known."""
