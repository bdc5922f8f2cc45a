"""The arithmetic of the exported graph, and what a measured rate comes to in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from porter.errors import BadInput
from porter.graphs.multiply_adds import multiply_adds
from porter.graphs.onnxfile import read_onnx
from porter.machine.arithmetic import operations_a_second
from porter.pipeline.job.job import Job
from porter.pipeline.judge.speed_marks import beyond_arithmetic
from porter.records.performance import Performance
from porter.records.record import RunRecord


def operations_of(job: Job, record: RunRecord) -> int:
    """Operations (additions and multiplications) of one image; 0: not known."""
    if record.export is None:
        return 0
    try:
        return 2 * multiply_adds(read_onnx(job.folder / record.export.path))
    except BadInput:  # the file is gone; who needs it says so
        return 0


def with_arithmetic(job: Job, measured: Iterable[Performance], operations: int) -> list[Performance]:
    """The measurements with what their rates come to, `operations` for each image, and a mark on what no machine like
    this one can do."""
    if not operations:
        return list(measured)
    found = []
    for one in measured:
        precision = job.precision(one.session.precision)
        mark = beyond_arithmetic(one, operations, precision, operations_a_second())
        asked = operations * one.images_per_second
        found.append(replace(one, operations_per_second=asked, marks=(*one.marks, *mark)))
    return found
