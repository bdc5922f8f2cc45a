"""thumbnails: the images that flipped, small enough for the record, so that report.html shows them without the data."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

from porter.data.store import ImageStore, open_store
from porter.errors import PorterError
from porter.images.decode import decode
from porter.pipeline.job.job import Job
from porter.records.changes import Changes, Flip
from porter.records.evaluation import Evaluation

PICTURES = 24
"""In one record, over all evaluations."""
SIDE = 96
"""Pixels of the longer side, at most."""
BYTES = 4096
"""Of one JPEG, at most."""
QUALITIES = (70, 50, 30, 10)


def with_thumbnails(job: Job, evaluations: Sequence[Evaluation]) -> tuple[Evaluation, ...]:
    """The evaluations with the first of their flips pictured; each that has flips gets the same share."""
    flipped = [one.name for one in evaluations if one.changes is not None and one.changes.flips]
    share = max(1, PICTURES // max(1, len(flipped)))
    store = open_store(job.data.manifest.root)
    files = {item.id: item.file for item in job.data.items}
    return tuple(
        replace(one, changes=_pictured(store, files, one.changes, share)) if one.changes is not None else one
        for one in evaluations
    )


def _pictured(store: ImageStore, files: Mapping[str, str], changes: Changes, share: int) -> Changes:
    pictures = [thumbnail(store, files.get(flip.id, flip.id)) for flip in changes.flips[:share]]
    pictures += [""] * (len(changes.flips) - len(pictures))
    flips: list[Flip] = [
        replace(flip, thumbnail=picture) for flip, picture in zip(changes.flips, pictures, strict=True)
    ]
    return replace(changes, flips=tuple(flips))


def thumbnail(store: ImageStore, image_id: str) -> str:
    """The image as a small JPEG in base64, made from its pixels alone; empty where it cannot be read whole."""
    from PIL import Image

    try:
        small = Image.fromarray(decode(store.read(image_id), image_id).pixels)
    except (OSError, PorterError):  # storage that does not answer is no reason to lose what was measured
        return ""
    small.thumbnail((SIDE, SIDE))
    for quality in QUALITIES:
        stream = io.BytesIO()
        small.save(stream, "JPEG", quality=quality)
        if stream.tell() <= BYTES:
            return base64.b64encode(stream.getvalue()).decode()
    return ""
