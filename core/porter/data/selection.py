"""Which images are scored: `--limit` may ask for fewer than there are, and calibration needs some for itself."""

from __future__ import annotations

from dataclasses import dataclass

from porter.errors import BadInput
from porter.records.message import Message

KEPT_SHARE = 5
"""At most one image in so many is kept apart: the rest must still tell something."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Places in the sorted list of all images found."""

    scored: tuple[int, ...]
    """Those of the manifest, in order."""
    kept_apart: tuple[int, ...]
    """Those that are never scored, in order."""
    words: Message
    """How both were chosen, for the documents."""


def select(found: int, limit: int | None = None, keep_apart: int = 0) -> Selection:
    """Choose `limit` of `found` images to score (None: all), and up to `keep_apart` others, all evenly spaced.

    The others come from those that the limit leaves out, where these are enough: then the same images are scored as
    without them. Else they are chosen first, and the scored ones among the rest. At most a fifth of all is kept apart.

    Raises `BadInput` where so few images were found that none can be kept apart.
    """
    wanted = min(keep_apart, found // KEPT_SHARE)
    if keep_apart and not wanted:
        raise BadInput(f"{found} images are too few to reserve some for calibration. Use --calibration DIR")
    scored = evenly_spaced(found, found if limit is None else limit) if found else []
    rest = sorted(set(range(found)).difference(scored))
    if wanted <= len(rest):
        kept = [rest[place] for place in evenly_spaced(len(rest), wanted)] if wanted else []
    else:
        kept = evenly_spaced(found, wanted)
        rest = sorted(set(range(found)).difference(kept))
        scored = [rest[place] for place in evenly_spaced(len(rest), len(rest) if limit is None else limit)]
    return Selection(scored=tuple(scored), kept_apart=tuple(kept), words=_words(found, limit, len(scored), len(kept)))


def _words(found: int, limit: int | None, scored: int, kept: int) -> Message:
    if limit is None or limit >= found:
        if not kept:
            return Message("all")
        return Message("{kept} kept for calibration", kept=kept)
    if not kept:
        return Message(
            "{chosen} of {found}, evenly spaced (`--limit {limit}`)", chosen=scored, found=found, limit=limit
        )
    return Message(
        "{chosen} of {found}, evenly spaced (`--limit {limit}`); {kept} kept for calibration",
        chosen=scored,
        found=found,
        limit=limit,
        kept=kept,
    )


def evenly_spaced(n: int, limit: int) -> list[int]:
    """Indices `floor(i * n / limit)` for i = 0 … limit - 1, or all of `range(n)` where `limit >= n`.

    Spread over the whole list, since image lists are commonly sorted by class. Raises `BadInput` for `limit < 1`.
    """
    if limit < 1:
        raise BadInput(f"--limit {limit}: must be at least 1")
    if limit >= n:
        return list(range(n))
    return [i * n // limit for i in range(limit)]
