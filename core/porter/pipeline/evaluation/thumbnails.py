"""thumbnails: the images that flipped, small enough for the record, so that report.html shows them without the data."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from porter.data.store import ImageStore, open_store
from porter.errors import PorterError
from porter.images.decode import decode
from porter.pipeline.job.job import Job
from porter.records.changes import Changes, Flip
from porter.records.evaluation import Evaluation

if TYPE_CHECKING:
    import numpy as np

    Draw = Callable[[np.ndarray], np.ndarray | None]

PICTURES = 24
"""In one record, over all evaluations."""
SIDE = 96
"""Pixels of the longer side, at most."""
BYTES = 4096
"""Of one JPEG, at most."""
DRAWN_SIDE, DRAWN_BYTES = 288, 24_576
"""The same of a picture with answers drawn over it, which would not be seen in less."""
QUALITIES = (70, 50, 30, 10)


def with_thumbnails(
    job: Job, evaluations: Sequence[Evaluation], answers: Sequence[Sequence[Hashable]]
) -> tuple[Evaluation, ...]:
    """The evaluations with the first of their flips pictured; each that has flips gets the same share.

    `answers`: of each evaluation, the first of which is the reference, in the order of the manifest.
    """
    flipped = [one.name for one in evaluations if one.changes is not None and one.changes.flips]
    share = max(1, PICTURES // max(1, len(flipped)))
    store = open_store(job.data.manifest.root)
    places = {item.id: place for place, item in enumerate(job.data.items)} if flipped else {}

    def pictured(flip: Flip, candidate: Sequence[Hashable]) -> Flip:
        place = places[flip.id]
        item = job.data.items[place]
        made, drawn = thumbnail(
            store, item.file, lambda pixels: job.task.picture(pixels, answers[0][place], candidate[place], item)
        )
        return replace(flip, thumbnail=made, drawn=drawn)

    return tuple(
        replace(one, changes=_pictured(one.changes, share, own, pictured)) if one.changes is not None else one
        for one, own in zip(evaluations, answers, strict=True)
    )


def _pictured(
    changes: Changes, share: int, own: Sequence[Hashable], pictured: Callable[[Flip, Sequence[Hashable]], Flip]
) -> Changes:
    first, rest = changes.flips[:share], changes.flips[share:]
    return replace(changes, flips=(*(pictured(flip, own) for flip in first), *rest))


def thumbnail(store: ImageStore, image_id: str, draw: Draw | None = None) -> tuple[str, bool]:
    """The image as a small JPEG in base64, made from its pixels alone, and whether something is drawn over it; empty
    where it cannot be read whole."""
    from PIL import Image

    try:
        pixels = decode(store.read(image_id), image_id).pixels
    except (OSError, PorterError):  # storage that does not answer is no reason to lose what was measured
        return "", False
    drawn = None if draw is None else draw(pixels)
    small = Image.fromarray(pixels if drawn is None else drawn)
    side, most = (SIDE, BYTES) if drawn is None else (DRAWN_SIDE, DRAWN_BYTES)
    small.thumbnail((side, side))
    for quality in QUALITIES:
        stream = io.BytesIO()
        small.save(stream, "JPEG", quality=quality)
        if stream.tell() <= most:
            return base64.b64encode(stream.getvalue()).decode(), drawn is not None
    return "", False
