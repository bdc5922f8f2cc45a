"""What `porter diagnose` says of a run: where the accuracy went."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.changes import Changes
from porter.records.diagnosis import GraphDiagnosis
from porter.records.evaluation import Metric
from porter.records.message import Text
from porter.records.suspects import LabelFinding, PreprocessFinding


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
    """Whether nothing was found."""
    conclusion: tuple[Text, ...]
    """What to believe, the surest first; one line that says so where nothing was found."""
    forms: tuple[SameTensors, ...]
    """Every form of the model on the same tensors."""
    preprocessing: PreprocessFinding
    """The model's own preprocessing against its spec."""
    labels: tuple[LabelFinding, ...]
    """Faults of the labels that would explain the answers."""
    graphs: tuple[GraphDiagnosis, ...]
    """Each artefact against the graph exported afresh, by the values inside that its runtime gives."""
    not_probed: tuple[NotProbed, ...] = ()
    """The artefacts that are missing there."""
    charts: tuple[str, ...] = ()
    """Files with the error along the depth, one for each graph, relative to the run's folder."""
