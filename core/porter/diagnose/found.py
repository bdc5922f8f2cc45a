"""What one trial of a diagnosis found, and what it ruled out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from porter.records.diagnosed import Finding, RuledOut, Surety
from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Found:
    """Of one trial, or of several together."""

    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()


def finding(cause: str, text: Text, command: str, surety: Surety) -> Found:
    """One cause."""
    return Found(findings=(Finding(cause=cause, text=text, command=command, surety=surety),))


def ruled_out(suspect: Text, evidence: Text) -> Found:
    """One suspect that is none."""
    return Found(ruled_out=(RuledOut(suspect=suspect, evidence=evidence),))


def together(parts: Iterable[Found]) -> Found:
    """All of them, in order."""
    found = tuple(parts)
    return Found(
        findings=tuple(one for part in found for one in part.findings),
        ruled_out=tuple(one for part in found for one in part.ruled_out),
    )
