"""Checks of a model in memory: its spec, its loading, and what the reference answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from porter.contracts.requests import ModelRequest
from porter.contracts.rows import Rows, part
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.job.job import Job
from porter.pipeline.verify import compare
from porter.records.parity import Tolerance
from porter.records.spec import ModelSpec, TensorSpec
from porter.testing.tried_model import Problem, Subject

if TYPE_CHECKING:
    import numpy as np

Outputs = Mapping[str, "np.ndarray"]


def describe(subject: Subject) -> Iterator[Problem]:
    """The spec is the same on every call, complete, and that of the model that was offered."""
    job, hook = subject.job, "porter_describe"
    files = job.files
    again = job.hooks.describe(
        ModelRequest(model=job.request.model, config=files.config, checkpoint=files.checkpoint),
    )
    if again != job.spec:
        yield Problem(hook, "two calls with the same request give different specs")
    if job.spec.name != job.offer.name:
        yield Problem(hook, f"the spec is named {job.spec.name!r}, porter_models offers {job.offer.name!r}")
    if len(job.spec.inputs) != 1:
        yield Problem(hook, f"the spec has {len(job.spec.inputs)} inputs; core feeds one, made from the image")
    if not job.spec.outputs:
        yield Problem(hook, "the spec has no outputs")
    for tensor in (*job.spec.inputs, *job.spec.outputs):
        if not tensor.shape or tensor.shape[0] not in ("N", job.spec.fixed_batch):
            yield Problem(
                hook,
                f'the shape of {tensor.name!r} is {tensor.shape}; it must begin with "N", the dynamic batch, or a size',
            )
    if job.spec.task not in job.registry.tasks():
        offered = ", ".join(sorted(job.registry.tasks()))
        yield Problem(hook, f"the spec's task is {job.spec.task!r}, which no plugin offers (offered: {offered})")
    for variant in job.offer.variants:
        if variant.variant == job.spec.variant:
            yield from _variant_differs(job.spec, variant)


def _variant_differs(spec: ModelSpec, offered: ModelSpec) -> Iterator[Problem]:
    """A config may change sizes; a variant of the same name keeps its task and the names of its tensors."""
    for what, mine, theirs in (
        ("task", spec.task, offered.task),
        ("inputs", _names(spec.inputs), _names(offered.inputs)),
        ("outputs", _names(spec.outputs), _names(offered.outputs)),
    ):
        if mine != theirs:
            yield Problem(
                "porter_describe",
                f"{what} of variant {spec.variant!r}: {mine}, but porter_models offers that variant with {theirs}",
            )


def load(subject: Subject) -> Iterator[Problem]:
    """Every weight is loaded, the model is in eval mode, and loading it again gives the same model."""
    job, hook = subject.job, "porter_load"
    report = job.loaded.report  # raises where a module is in training mode
    if job.loaded.spec != job.spec:
        yield Problem(hook, "Loaded.spec is another one than LoadRequest.spec")
    if report.loaded != report.expected:
        yield Problem(hook, f"the report says that {report.loaded} of {report.expected} entries were loaded")
    first = _outputs(job, subject.batch)
    misfits = list(_outputs_fit(job.spec, first))
    if misfits:
        yield from misfits
        return
    if not _agree(first, _outputs(job, subject.batch)):
        yield Problem(hook, "the model gives another output for the same batch a second time: Dropout outside eval()?")
        return
    if not _agree({name: rows[:2] for name, rows in first.items()}, _outputs(job, part(subject.batch, 0, 2))):
        yield Problem(hook, "an image's output depends on the rest of its batch: batch statistics outside eval()?")
    if not _agree(first, _outputs(subject.another_job(), subject.batch)):
        yield Problem(
            hook, "loading twice gives two models with different outputs: some weights are not from the checkpoint"
        )


def _outputs(job: Job, feeds: Rows) -> dict[str, np.ndarray]:
    return infer(job, job.reference, feeds)


def _outputs_fit(spec: ModelSpec, outputs: Outputs) -> Iterator[Problem]:
    """The reference's outputs have the names and shapes that the spec declares."""
    if set(outputs) != {tensor.name for tensor in spec.outputs}:
        found, declared = ", ".join(map(repr, outputs)), _names(spec.outputs)
        yield Problem("porter_infer", f"the reference gives the outputs {found}; the spec declares {declared}")
        return
    for tensor in spec.outputs:
        shape = outputs[tensor.name].shape
        sizes = zip(tensor.shape[1:], shape[1:], strict=False)
        if len(shape) != len(tensor.shape) or any(isinstance(want, int) and want != have for want, have in sizes):
            yield Problem(
                "porter_describe",
                f"output {tensor.name!r} is declared {tensor.shape}, the model gives {shape} for {shape[0]} images",
            )


def _agree(wanted: Outputs, got: Outputs) -> bool:
    return all(compare(name, len(rows), rows, got.get(name), Tolerance()).passed for name, rows in wanted.items())


def _names(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(repr(tensor.name) for tensor in tensors) or "none"
