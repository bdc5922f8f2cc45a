"""Checks of a task's scorer: every image that it is given counts, answered or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from porter.pipeline.evaluation.infer import infer
from porter.records.evaluation import Metric
from porter.testing.tried_model import Problem, Subject

HOOK = "porter_tasks"


def scorer(subject: Subject) -> Iterator[Problem]:
    """Each item adds to the count of every metric, and as much without an answer as with one."""
    job = subject.job
    outputs = infer(job, job.reference, subject.batch)
    answered = [*job.hooks.postprocess(outputs, job.spec, subject.sources)][: len(job.data.items)]
    counts = [_counts(_scored(subject, answered[:length])) for length in range(1, len(answered) + 1)]
    for length, (fewer, more) in enumerate(pairwise(counts), start=2):
        for name in sorted(fewer):
            if more.get(name, 0) <= fewer[name]:
                yield Problem(HOOK, f"{job.task.name!r}: item {length} adds nothing to the count of {name!r}")
                return
    for place in range(len(answered)):
        without = _counts(_scored(subject, [*answered[:place], None, *answered[place + 1 :]]))
        for name in sorted(without):
            if without[name] != counts[-1].get(name):
                yield Problem(
                    HOOK,
                    f"{job.task.name!r}: without an answer to item {place + 1} of {len(answered)} {name!r} counts "
                    f"{without[name]}, with it {counts[-1].get(name)}; an image without one scores 0 and is counted",
                )
                return


def _scored(subject: Subject, predictions: Sequence[Any | None]) -> tuple[Metric, ...]:
    """The metrics over the items of the batch with these predictions."""
    data = subject.job.data
    one = subject.job.task.scorer(subject.job.spec, data.manifest)
    for source, prediction in zip(subject.sources, predictions, strict=False):
        one.add(source.item, prediction)
    return one.metrics()


def _counts(metrics: Sequence[Metric]) -> dict[str, int]:
    return {metric.name: metric.count for metric in metrics}
