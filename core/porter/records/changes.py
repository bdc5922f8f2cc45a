"""What an artefact does to the answers: which images flip, by how little they stood, and what that does to accuracy."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.paired import PairedComparison, ResampledDrop


@dataclass(frozen=True, kw_only=True)
class Flip:
    """One image on which the artefact answers otherwise than the reference."""

    id: str
    """Its path relative to the data folder."""
    label: str
    """What it is scored against."""
    reference: str
    """The reference's answer; empty where it has none."""
    candidate: str
    """The artefact's answer; empty where it has none."""
    margin: float | None
    """By how much the reference's answer led the next best, in units of its scores; None where the task has none."""
    thumbnail: str = ""
    """The image in small as a JPEG in base64, for report.html; empty beyond the first flips, and where the image cannot
    be read."""
    drawn: bool = False
    """Whether the task has drawn the answers over it."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Reference against artefact, image by image."""

    images: int
    """Images of the manifest."""
    flipped: int
    """Images whose answer differs, those included that only one of the two can answer."""
    reordered: int
    """Images whose answer stands while what ranks below it differs (the rest of a top 5)."""
    flips: tuple[Flip, ...]
    """The first fifty."""
    paired: PairedComparison | None = None
    """None where an item's score is more than right or wrong."""
    resampled: ResampledDrop | None = None
    """For such a score, where the task can resample its metric."""

    @property
    def judged(self) -> PairedComparison | ResampledDrop | None:
        """What says how sure the drop is; None where nothing does."""
        return self.paired or self.resampled
