"""Checks of the exported file and of what the default runtime makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from porter.records.parity import OutputParity, Parity
from porter.testing.tried_model import Problem, Subject


def export(subject: Subject) -> Iterator[Problem]:
    """The file, read again, has the opset, names, types and shapes that were asked for; the model stays in eval."""
    subject.run.export()  # raises with everything that the file gets wrong
    module = subject.job.loaded.module
    if any(part.training for part in getattr(module, "modules", list)()):
        yield Problem("porter_export", "left the model in training mode: restore the mode that it was in")


def parity(subject: Subject) -> Iterator[Problem]:
    """Every artefact gives the reference's outputs at batch 1, 2 and 3."""
    subject.run.verify()
    for one in subject.run.record.parity:
        failed = [output for output in one.outputs if not output.passed]
        if failed:
            yield Problem("porter_export", f"{one.candidate} is not the model: {_evidence(failed)}{_hint(one)}")


def _evidence(failed: Sequence[OutputParity]) -> str:
    return "; ".join(
        f"batch {one.batch}: {one.problem}"
        if one.problem
        else f"batch {one.batch}: output {one.output!r} is off by {one.max_abs_error:.3g} (allowed {one.allowed:.3g})"
        for one in failed
    )


def _hint(parity: Parity) -> str:
    """Where some batch sizes pass and others fail, the graph holds the size that it was traced with."""
    by_batch = {one.batch: one.passed for one in parity.outputs}
    for one in parity.outputs:
        by_batch[one.batch] &= one.passed
    good = [batch for batch, passed in by_batch.items() if passed]
    if not good:
        return ""
    sizes = ", ".join(map(str, good))
    return f". It is correct at batch {sizes} only: the graph has a fixed batch size, e.g. in a Reshape"
