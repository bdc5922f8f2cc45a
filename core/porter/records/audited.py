"""What the images and labels of an evaluation are, beyond their number: what the verdict on the data rests on."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Oddity(enum.StrEnum):
    """What may be odd about images and labels."""

    UNREADABLE = "unreadable"
    """Images that cannot be read whole; they count as wrong."""
    CONTRADICTED = "contradicted"
    """Images that are byte for byte the same as another one of another label: one of the two labels is wrong."""
    COPIES = "copies"
    """Images that are byte for byte the same as an earlier one of the same label: they count several times."""
    LOOK_ALIKES = "look-alikes"
    """Images that show nearly the same picture as an earlier one, which is not the same file."""
    NO_IMAGES = "no images"
    """Classes of the model that no image is of."""
    ONE_LABEL = "one label"
    """Every image has the same label."""
    SMALLER = "smaller"
    """Images that are smaller than the crop, and so are enlarged."""
    TURNED = "turned"
    """Images that EXIF says to turn, which the pipeline, as those of published figures, does not."""
    RANDOM = "random"
    """Answers that are varied and sure, and right no more often than guesses: the labels look random."""
    DOUBTFUL = "doubtful"
    """Labels that look random on a share of the images, estimated: there the model is as sure of another class as it is
    where it is right, and the label's class is not among its first ones."""


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One oddity."""

    kind: Oddity
    """What it is."""
    count: int
    """Images, or classes, of that kind."""
    of: int
    """Out of so many."""
    names: tuple[str, ...] = ()
    """The first of them."""

    @property
    def percent(self) -> float:
        """`count` in percent of `of`."""
        return 100 * self.count / self.of if self.of else 0.0


@dataclass(frozen=True, kw_only=True)
class DataAudit:
    """All images of the manifest, looked at while the reference was scored on them."""

    images: int
    """Images listed, each of which was looked at as far as it can be read."""
    distinct: int
    """Different files among those that can be read, by content."""
    oddities: tuple[Odd, ...] = ()
    """What was found; empty: nothing."""

    def odd(self, kind: Oddity) -> Odd | None:
        """The oddity of that kind, or None."""
        return next((one for one in self.oddities if one.kind is kind), None)
