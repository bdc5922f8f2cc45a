"""What explains a fault: suspects in preprocessing and in labels, each with its evidence. None is ever applied."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from porter.records.interval import Interval
from porter.records.message import Message, Text


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """One way in which preprocessing goes wrong."""

    name: str
    """Short and stable, e.g. `bgr`."""
    title: Text
    """The fault in words, e.g. "BGR instead of RGB"."""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Suspects that together turn the reference pipeline into the one under test, as far as the residual says."""

    suspects: tuple[Suspect, ...]
    """The faults; all of them are needed."""
    exact: bool
    """Whether nothing but rounding is left, on every image."""
    agreeing: int
    """Images that it explains: only rounding is left, or the mean difference falls by the finding's `factor`."""
    max_residual: float
    """Largest absolute difference that is left over all images, in units of the tensor."""
    mean_residual: float
    """Mean absolute difference that is left over all images."""

    @property
    def title(self) -> Text:
        """All its faults in words."""
        first, *more = (suspect.title for suspect in self.suspects)
        return functools.reduce(lambda one, other: Message("{one} + {other}", one=one, other=other), more, first)


@dataclass(frozen=True, kw_only=True)
class PreprocessFinding:
    """Tensors of the pipeline under test against the reference pipeline, and the suspects that explain the difference.

    Differences are absolute, in units of the tensor.
    """

    images: int
    """Images compared."""
    differing: int
    """Images whose tensors differ by more than `allowed`, or in shape."""
    allowed: float
    """Largest difference that counts as none."""
    max_difference: float | None
    """Over all images; None where there is a `problem`."""
    mean_difference: float | None
    """Over all values of all images; None where there is a `problem`."""
    problem: Text = ""
    """Why there is no difference to state: another shape, values that are not finite, the same value everywhere."""
    explanations: tuple[Explanation, ...] = ()
    """Those that explain the difference equally well, the most usual first; empty where no suspect does."""
    tried: int = 0
    """How many suspects and combinations of suspects were compared."""
    factor: float
    """The factor by which an explanation that is not exact brings the mean difference down, at the least."""
    unseen: tuple[Suspect, ...] = ()
    """Suspects that would change nothing on these images (BGR on grey images, EXIF where no image carries it): whether
    they are there cannot be told."""
    untried: tuple[Text, ...] = ()
    """What could not be tried on this machine, and why."""

    only: Text = ""
    """The kind of images that alone differs, in words; empty where all do, or no kind stands out."""

    @property
    def identical(self) -> bool:
        """Whether no image differs."""
        return self.differing == 0


@dataclass(frozen=True, kw_only=True)
class LabelFinding:
    """A fault of the labels under which the answers would be right far more often."""

    name: str
    """`shift`, `background`, `folder-order`, `image-order`, `rotation` or `permutation`."""
    title: Text
    """The fault in words."""
    remedy: Text
    """What the user would check or change; never applied by porter."""
    hits: int
    """Answers that would be right, among `count`."""
    count: int
    """All images; of a permutation, only those that it was not learned on."""
    accuracy: float
    """hits / count in percent."""
    interval: Interval
    """Of `accuracy`."""
    hits_now: int
    """Answers that are right with the labels as they are, among the same `count`."""
    p_value: float
    """How often chance alone would give so many hits: binomial test, multiplied by the number of hypotheses tried."""
    examples: tuple[str, ...] = ()
    """The first few labels and what they would become."""
