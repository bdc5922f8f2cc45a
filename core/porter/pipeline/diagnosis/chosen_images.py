"""The images that a diagnosis works on: those on which the run failed first, in the batches that scored them."""

from __future__ import annotations

from collections.abc import Iterator

from porter.pipeline.evaluation.prepare import prepare, readable
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Dataset
from porter.pipeline.verify import BATCHES
from porter.records.record import RunRecord

IMAGES = 32
FAILING = 16
"""Images that are taken for their sake at least, batches filled up."""


def chosen_images(data: Dataset, record: RunRecord) -> list[Prepared]:
    """Up to `IMAGES` readable ones, each once: failing batches, then those that verify ran, then evenly spaced ones.

    Raises `BadInput` where none can be read.
    """
    found = {one.index: one for one in _failing(data, record)}
    for one in (*readable(data, sum(BATCHES)), *readable(data, IMAGES)):
        found.setdefault(one.index, one)
    return list(found.values())[:IMAGES]


def failing_ids(record: RunRecord) -> list[str]:
    """The images whose outputs are off, or whose answers changed or are missing, each once."""
    ids = [
        name
        for one in record.evaluations
        if one.name in record.delivered
        for name in (
            *(worst.id for worst in (one.compared.worst if one.compared is not None and one.compared.over else ())),
            *(flip.id for flip in (one.changes.flips if one.changes is not None else ())),
            *(failure.id for failure in one.failures),
        )
    ]
    return list(dict.fromkeys(ids))


def _failing(data: Dataset, record: RunRecord) -> Iterator[Prepared]:
    size = data.job.request.evaluation_batch
    places = {item.id: place for place, item in enumerate(data.items)}
    starts = dict.fromkeys(places[one] // size * size for one in failing_ids(record) if one in places)
    most = max(1, FAILING // size)
    wanted = [place for start in list(starts)[:most] for place in range(start, min(start + size, len(data.items)))]
    if wanted:
        yield from (one for one in prepare(data, wanted[:IMAGES]) if one.arrays)
