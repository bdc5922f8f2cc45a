"""The images that a quantised artefact was calibrated on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CalibrationData:
    """The images that the ranges of the activations were measured on. None of them is scored."""

    source: str
    """`data`: kept apart from the images that are scored; `folder`: `--calibration`."""
    root: str
    """The folder as typed, or that it was shipped with the plugin."""
    found: int
    """Images in that folder."""
    ids: tuple[str, ...]
    """The images that were used, relative to the folder, in order."""
    unreadable: tuple[str, ...] = ()
    """Those that were chosen and could not be read whole."""
    content_sha256: str = ""
    """Over the SHA-256 of every image that was used, in order."""

    @property
    def count(self) -> int:
        """How many were used."""
        return len(self.ids)
