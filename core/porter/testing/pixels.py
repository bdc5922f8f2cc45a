"""Checks of `porter_preprocess`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from porter.contracts.requests import Image
from porter.pipeline.verify import sample, verify_preprocessing
from porter.testing.tried_model import Problem, Subject

if TYPE_CHECKING:
    import numpy as np

HOOK = "porter_preprocess"
THREADS = 4


def preprocess(subject: Subject) -> Iterator[Problem]:
    """Arrays of the declared shape and type, the same on every call and thread; the image is left as it was."""
    import numpy as np

    kept: list[tuple[Image, np.ndarray, np.ndarray]] = []
    for image in subject.images:
        array = _call(subject, image)
        problem = _misfit(subject, array) or _changes(subject, image)
        if problem:
            yield Problem(HOOK, f"{problem} (image {image.id})")
            return
        kept.append((image, array, array.copy()))
    for image, array, copy in kept:
        if not np.array_equal(array, copy):
            yield Problem(HOOK, f"the array of {image.id} changed when later images came: return a new one each time")
            return
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(lambda one: _call(subject, one[0]), kept))
    for (image, _, copy), array in zip(kept, together, strict=True):
        if not np.array_equal(array, copy):
            yield Problem(HOOK, f"called from several threads at once, it gives another array for {image.id}")
            return


def agrees_with_spec(subject: Subject) -> Iterator[Problem]:
    """The model's preprocessing is what its spec declares: the verdict "preprocessing" passes."""
    parity = verify_preprocessing(subject.job, sample(subject.job))
    if not parity.passed:
        by = "has another shape" if parity.max_abs_error is None else f"differs by up to {parity.max_abs_error:.3g}"
        yield Problem(
            HOOK,
            f"the array {by} from that of the reference pipeline that the spec declares (allowed {parity.allowed:g}). "
            "Change the one or the other",
        )


def _call(subject: Subject, image: Image) -> np.ndarray:
    """The hook's array for a copy of the image, which it could write to."""
    return subject.job.hooks.preprocess(Image(id=image.id, pixels=image.pixels.copy()), subject.job.spec.preprocess)


def _misfit(subject: Subject, array: np.ndarray) -> str:
    """In what the result is not the array that was declared; empty where it is."""
    import numpy as np

    spec = subject.job.spec.preprocess
    wanted = (len(spec.mean), *spec.crop)
    if array.dtype != np.float32:
        return f"the array is {array.dtype}, it must be float32"
    if array.shape != wanted:
        return f"the array has shape {array.shape}, the spec declares {wanted}"
    if not np.isfinite(array).all():
        return "the array has NaN or infinite values"
    return ""


def _changes(subject: Subject, image: Image) -> str:
    """Whether a second call changes the image, or answers otherwise; empty where it does neither."""
    import numpy as np

    spec = subject.job.spec.preprocess
    mine = Image(id=image.id, pixels=image.pixels.copy())
    first = subject.job.hooks.preprocess(mine, spec).copy()
    if not np.array_equal(mine.pixels, image.pixels):
        return "changes the pixels that it was given: copy them first"
    if not np.array_equal(first, _call(subject, image)):
        return "gives another array for the same image a second time"
    return ""
