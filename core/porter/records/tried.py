"""What the labels say of the declared preprocessing: the usual alternatives, each scored through the reference."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from porter.records.message import Message, Text
from porter.records.suspects import Suspect


@dataclass(frozen=True, kw_only=True)
class Better:
    """An alternative that is right more often than the declared pipeline, beyond chance."""

    suspects: tuple[Suspect, ...]
    """What it does otherwise; mostly one thing."""
    images: int
    """Images that both were scored on."""
    value: float
    """Mean score of an image with it, in percent."""
    declared: float
    """Mean score of the same images with what is declared, in percent."""
    gained: int
    """Images that only the alternative gets right."""
    lost: int
    """Images that only the declared pipeline gets right."""
    p_value: float
    """McNemar's exact test, times the number of alternatives and of looks at them: how often chance would do that."""

    @property
    def gain(self) -> float:
        """Points by which it is better."""
        return self.value - self.declared

    @property
    def title(self) -> Text:
        """What it does otherwise, in words."""
        first, *more = (suspect.title for suspect in self.suspects)
        return functools.reduce(lambda one, other: Message("{one} + {other}", one=one, other=other), more, first)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """The usual alternatives to the declared pipeline, against the labels."""

    alternatives: int
    """How many."""
    images: int
    """Images on which at least one of them was scored."""
    metric: Text
    """What the scores are, in words."""
    poor: bool
    """Whether the accuracy called for a close look: below the published figure, near chance, or mostly wrong."""
    better: tuple[Better, ...] = ()
    """The best of those that are better beyond chance and those as good, the most usual first; mostly none."""
    reason: Text = ""
    """Why none was tried; empty: they were."""
