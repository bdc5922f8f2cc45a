"""judging: the outputs of one batch to what became of each of its images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from porter.contracts.requests import Source
from porter.contracts.rows import Rows, taken, whole
from porter.errors import PluginError
from porter.pipeline.evaluation.shapes import NONFINITE, OK, UNREADABLE, Answered, Judged, JudgedBatch
from porter.pipeline.evaluation.traces import traces_of
from porter.pipeline.job.job import Dataset, Job
from porter.records.message import Message

NONFINITE_REASON = Message("outputs are not finite")


def judge(data: Dataset, answered: Answered, keep: int = 0) -> JudgedBatch:
    """Predictions for the rows whose outputs are finite, and the reason for every image that has none.

    `keep`: how many values of each output to leave a trace of; 0: none is wanted.
    """
    started = time.perf_counter()
    batch = answered.batch
    found = predictions_of(data.job, answered.outputs, batch.sources(data.items))
    predictions = dict(zip(batch.indices, found, strict=True))
    rows = {index: row for row, index in enumerate(answered.batch.indices)} if keep else {}
    images = []
    for one in answered.batch.members:
        prediction = predictions.get(one.index)
        if one.reason:
            status, reason = UNREADABLE, one.reason
        else:
            status, reason = (NONFINITE, NONFINITE_REASON) if prediction is None else (OK, "")
        images.append(
            Judged(
                status=status,
                prediction=prediction,
                reason=reason,
                digest=one.digest.hex(),
                conversions=one.conversions,
                look=one.look,
                traces=traces_of(answered.outputs, rows[one.index], keep) if one.index in rows else {},
            )
        )
    members = answered.batch.members
    return JudgedBatch(
        start=members[0].index,
        images=tuple(images),
        seconds={
            "read": sum(one.read_seconds for one in members),
            "preprocess": sum(one.preprocess_seconds for one in members),
            "infer": answered.infer_seconds,
            "postprocess": time.perf_counter() - started,
        },
        check=answered.check,
    )


def predictions_of(job: Job, outputs: Rows, sources: Sequence[Source]) -> list[Any | None]:
    """A prediction for each row whose outputs are finite, else None."""
    import numpy as np

    if not sources:
        return []
    finite = np.ones(len(sources), dtype=bool)
    for values in outputs.values():
        finite &= whole(values)
    good = [int(row) for row in np.flatnonzero(finite)]
    clean = taken(outputs, good) if len(good) < len(sources) else dict(outputs)
    found = iter(job.hooks.postprocess(clean, job.spec, [sources[row] for row in good]) if good else ())
    try:
        return [next(found) if ok else None for ok in finite]
    except StopIteration:
        raise PluginError(f"plugin {job.hooks.plugin!r}: porter_postprocess gave fewer predictions than rows") from None
