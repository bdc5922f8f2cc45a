"""Checks of `porter_preprocess`."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from porter.contracts.rows import Rows, copied, same_bits
from porter.pipeline.evaluation.prepare import row_shapes
from porter.pipeline.verified_preprocessing import verify_preprocessing
from porter.pipeline.verify import sample as images_of
from porter.testing.tried_model import Problem, Subject

Arrays: TypeAlias = Rows
HOOK = "porter_preprocess"
THREADS = 4


def preprocess(subject: Subject) -> Iterator[Problem]:
    """Arrays of the declared shape and type, the same on every call and thread; the sample is left as it was."""
    kept: list[tuple[str, Any, Arrays, Arrays]] = []
    for name, sample in subject.samples:
        arrays = _call(subject, sample)
        problem = _misfit(subject, arrays) or _changes(subject, sample)
        if problem:
            yield Problem(HOOK, f"{problem} (image {name})")
            return
        kept.append((name, sample, arrays, copied(arrays)))
    for name, _, arrays, before in kept:
        if not _same(arrays, before):
            yield Problem(HOOK, f"the array of {name} changed when later images came: return a new one each time")
            return
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda one: _call(subject, one[1]), kept))
    for (name, _, _, before), arrays in zip(kept, together, strict=True):
        if not _same(arrays, before):
            yield Problem(HOOK, f"called from several threads at once, it gives another array for {name}")
            return


def agrees_with_spec(subject: Subject) -> Iterator[Problem]:
    """The model's preprocessing is what its spec declares: the verdict "preprocessing" passes."""
    parity = verify_preprocessing(subject.job, images_of(subject.job))
    if not parity.passed:
        by = "has another shape" if parity.max_abs_error is None else f"differs by up to {parity.max_abs_error:.3g}"
        yield Problem(
            HOOK,
            f"the array {by} from that of the reference pipeline that the spec declares (allowed {parity.allowed:g}). "
            "Change the one or the other",
        )


def _call(subject: Subject, sample: Any) -> Arrays:
    """The hook's arrays for a copy of the sample, which it could write to."""
    return subject.job.hooks.preprocess(copy.deepcopy(sample), subject.job.spec)


def _misfit(subject: Subject, arrays: Arrays) -> str:
    """In what the result is not what was declared; empty where it is."""
    import numpy as np

    shapes = row_shapes(subject.job.spec)
    for tensor in subject.job.spec.inputs:
        if tensor.name not in arrays:
            return f"no array for input {tensor.name!r}"
        array = arrays[tensor.name]
        shape, dtype = shapes.get(tensor.name, (array.shape, tensor.dtype))
        if str(array.dtype) not in (dtype, "float32"):
            return f"the array is {array.dtype}, it must be {dtype}"
        if array.shape != shape:
            return f"the array has shape {array.shape}, the spec declares {shape}"
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return "the array has NaN or infinite values"
    return ""


def _changes(subject: Subject, sample: Any) -> str:
    """Whether a second call changes the sample, or answers otherwise; empty where it does neither."""
    mine = copy.deepcopy(sample)
    first = copied(subject.job.hooks.preprocess(mine, subject.job.spec))
    if pickle.dumps(mine) != pickle.dumps(copy.deepcopy(sample)):
        return "changes the pixels that it was given: copy them first"
    if not _same(first, _call(subject, sample)):
        return "gives another array for the same image a second time"
    return ""


def _same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(same_bits(values, other[name]) for name, values in one.items())
