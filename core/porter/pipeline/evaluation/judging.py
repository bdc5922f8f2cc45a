"""judging: the outputs of one batch to what became of each of its images."""

from __future__ import annotations

import time
from typing import Any

from porter.errors import PluginError
from porter.pipeline.evaluation.shapes import NONFINITE, OK, UNREADABLE, Answered, Judged, JudgedBatch
from porter.pipeline.evaluation.traces import traces_of
from porter.pipeline.job.job import Job
from porter.records.message import Message

NONFINITE_REASON = Message("outputs are not finite")


def judge(job: Job, answered: Answered, keep: int = 0) -> JudgedBatch:
    """Predictions for the rows whose outputs are finite, and the reason for every image that has none.

    `keep`: how many values of each output to leave a trace of; 0: none is wanted.
    """
    started = time.perf_counter()
    predictions = dict(zip(answered.batch.indices, _predictions(job, answered), strict=True))
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


def _predictions(job: Job, answered: Answered) -> list[Any | None]:
    import numpy as np

    count = len(answered.batch.indices)
    if not count:
        return []
    finite = np.ones(count, dtype=bool)
    for values in answered.outputs.values():
        if values.dtype.kind == "f":
            finite &= np.isfinite(values.reshape(count, -1)).all(axis=1)
    clean = {name: values[finite] for name, values in answered.outputs.items()}
    found = iter(job.hooks.postprocess(clean, job.spec) if finite.any() else ())
    try:
        return [next(found) if good else None for good in finite]
    except StopIteration:
        raise PluginError(f"plugin {job.hooks.plugin!r}: porter_postprocess gave fewer predictions than rows") from None
