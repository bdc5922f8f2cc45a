"""What core found when it held the model's tensors against the checkpoint's, value by value."""

from __future__ import annotations

from dataclasses import dataclass, field

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """One tensor, or tensors of one kind, whose contents are odd."""

    what: Text
    """In words."""
    fails: bool
    """Whether it makes the weights meaningless; False: a note."""


@dataclass(frozen=True, kw_only=True)
class WeightsAudit:
    """The model's tensors against those of the file. Batch counters are no evidence and are left out."""

    not_compared: Text = ""
    """Why the two were not compared; empty: they were."""
    weights: str = ""
    """Key of the set of weights that the model holds, by content; empty: a bare one."""
    asked: str | None = None
    """Key of the set that it should hold, where that is another one."""
    tensors: int = 0
    """Tensors of the model's state dict."""
    matched: int = 0
    """Of these, how many hold values of the file, whatever their name, shape or floating-point type."""
    folded: int = 0
    """How many are a layer of the file with its BatchNorm multiplied in, by computing it again."""
    derived: int = 0
    """How many the plugin says that it computed (`LoadReport.derived`)."""
    constants: tuple[str, ...] = ()
    """Buffers that are no statistics and not in the file: the network's code made them."""
    strangers: dict[str, Text] = field(default_factory=dict)
    """Tensors of the model that are not the file's, each with what it is instead; the first twenty."""
    strangers_count: int = 0
    """How many there are."""
    entries: int = 0
    """Tensors of that set in the file."""
    homeless: tuple[str, ...] = ()
    """Learned tensors of the file, of the same modules, without a place in the model; the first twenty."""
    homeless_count: int = 0
    """How many there are."""
    fits: str = ""
    """The published variant that has a place for all of the file, where the plugin told (`LoadReport.fits`)."""
    suspicions: tuple[Suspicion, ...] = ()
    """Odd contents, those that fail first."""
    stated: dict[str, float] = field(default_factory=dict)
    """Figures that the checkpoint states of itself: `best_acc1`, `perf`, `epoch`, …; accuracies in percent."""
