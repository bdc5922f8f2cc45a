"""What `porter diagnose` says of a run: where the accuracy went."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from porter.records.changes import Changes
from porter.records.diagnosis import GraphDiagnosis
from porter.records.evaluation import Metric
from porter.records.message import Message, Text
from porter.records.suspects import LabelFinding, PreprocessFinding


class Surety(enum.StrEnum):
    """How sure a finding is; findings stand in this order."""

    LOCATED = "located"
    """Measured, and its place is known."""
    MEASURED = "measured"
    """Measured: something differs from what it should be, or is better by more than chance with one thing changed."""
    LIKELY = "likely"
    """What the measurements leave."""
    LAST = "last"
    """What has so much freedom that it fits where anything else would explain it: an order of classes that was learned
    from the answers."""
    HINT = "hint"
    """No cause by itself: where it lies, a consequence, or a difference that may do no harm."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One cause, in one line."""

    cause: str
    """Short and stable: the part that is blamed (`weights`, `preprocessing`, `data`, `labels`, `exporter`, `model`,
    `runtime`, `reference`, `unknown`), then what it is: `runtime shuffled`."""
    text: Text
    """The cause in words, with its evidence."""
    command: str
    """What to type next."""
    surety: Surety
    """How sure it is."""


@dataclass(frozen=True, kw_only=True)
class RuledOut:
    """One suspect that is no cause."""

    suspect: Text
    """What was suspected."""
    evidence: Text
    """Why it is not."""


@dataclass(frozen=True, kw_only=True)
class SameTensors:
    """One form of the model on the same tensors as the others."""

    name: str
    """`reference`, `exported afresh`, or an artefact's id."""
    metrics: tuple[Metric, ...]
    """The task's metrics on these images."""
    changes: Changes | None
    """Against the reference; None for the reference itself, and where the model could not be run."""
    images: int = 0
    """Images that it was run on."""
    nonfinite: int = 0
    """Of these, images whose outputs hold NaN or infinity."""
    problem: str = ""
    """Why it could not be run."""


@dataclass(frozen=True, kw_only=True)
class NotProbed:
    """An artefact whose graph was not compared node by node."""

    artefact: str
    """Its id."""
    reason: Text
    """Why, in one line."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All that was found, and the conclusion."""

    images: int
    """Images that all forms of the model were run on."""
    sound: bool
    """Whether every verdict of the run passes, or was not asked for, and nothing was found."""
    failed: tuple[str, ...] = ()
    """The verdicts that failed, which the diagnosis started from, by name."""
    findings: tuple[Finding, ...] = ()
    """What to believe, the surest first. There is one at least where a verdict failed."""
    ruled_out: tuple[RuledOut, ...] = ()
    """What was looked at and is no cause."""
    forms: tuple[SameTensors, ...]
    """Every form of the model on the same tensors."""
    preprocessing: PreprocessFinding | None
    """The model's own preprocessing against its spec."""
    labels: tuple[LabelFinding, ...]
    """Faults of the labels that would explain the answers."""
    graphs: tuple[GraphDiagnosis, ...]
    """Each artefact against the graph exported afresh, by the values inside that its runtime gives."""
    not_probed: tuple[NotProbed, ...] = ()
    """The artefacts that are missing there."""
    charts: tuple[str, ...] = ()
    """Files with the error along the depth, one for each graph, relative to the run's folder."""

    @property
    def conclusion(self) -> tuple[Text, ...]:
        """The findings in words; that all is well where there is none."""
        return tuple(one.text for one in self.findings) or (SOUND,)


SOUND = Message("no fault: every requested verdict passes, and no check found one")
