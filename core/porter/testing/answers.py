"""Checks of `porter_postprocess`, and of the task that takes its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from porter.contracts.rows import copied, part, same_bits
from porter.pipeline.evaluation.infer import infer
from porter.testing.tried_model import Problem, Subject

if TYPE_CHECKING:
    import numpy as np

HOOK = "porter_postprocess"


def postprocess(subject: Subject) -> Iterator[Problem]:
    """As many predictions as rows, the same alone as in a batch, of a kind that the task takes."""
    job = subject.job
    outputs = infer(job, job.reference, subject.batch)
    before = copied(outputs)
    together = job.hooks.postprocess(
        outputs, job.spec, subject.sources
    )  # raises unless there is one prediction for each row
    if not all(same_bits(outputs[name], before[name]) for name in before):
        yield Problem(HOOK, "changes the outputs that it was given: copy them first")
        return
    yield from _same(subject, together, [_alone(subject, before, row) for row in range(len(subject.chosen))])


def _alone(subject: Subject, outputs: dict[str, np.ndarray], row: int) -> Any:
    """The prediction for one row in a batch of its own."""
    single = copied(part(outputs, row, row + 1))
    return subject.job.hooks.postprocess(single, subject.job.spec, subject.sources[row : row + 1])[0]


def _same(subject: Subject, together: Sequence[Any], alone: Sequence[Any]) -> Iterator[Problem]:
    """Predictions are compared by what the task makes of them: its row and its answer."""
    task = subject.job.task
    for number, (a, b) in enumerate(zip(together, alone, strict=True)):
        row = list(task.row(a))
        if len(row) != len(task.columns):
            yield Problem("porter_tasks", f"row() of task {task.name!r} has {len(row)} fields, columns {task.columns}")
            return
        if {task.answer(a)} != {task.answer(b)} or row != list(task.row(b)):  # a set: answers must be hashable
            yield Problem(
                HOOK, f"row {number} of a batch of {len(together)} gets another prediction than the same row alone"
            )
            return
