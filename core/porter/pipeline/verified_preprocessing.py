"""The model's own preprocessing against its reference: the pipeline that the spec declares, or the plugin's."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from porter.data.noting import Noting
from porter.data.store import open_store
from porter.diagnose.preprocessing.fault_trial import ALLOWED, Sample
from porter.pipeline.evaluation.prepare import readable
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Job
from porter.records.message import Message
from porter.records.parity import PreprocessParity

if TYPE_CHECKING:
    import numpy as np

OWN_PIPELINE = 32
"""Samples that a plugin's own preprocessing is looked at on: it may differ on those of one shape or mode alone."""
EXPLAINED = 6
"""Images that differ, of which the reason is sought."""


def verify_preprocessing(job: Job, images: Sequence[Prepared]) -> PreprocessParity:
    """The model's own preprocessing against its reference; of a declared pipeline a difference is explained."""
    import numpy as np

    from porter.diagnose.preprocessing.explain import explain_preprocessing, one_buffer

    shared = False
    if job.hooks.implementer("porter_preprocess") is not None:
        images = readable(job.data, OWN_PIPELINE)
        shared = shares_a_buffer(job, images)
    worst: float | None = 0.0
    identical, compared, apart = True, 0, list[Sample]()
    differing = 0
    for one in images:
        sample = read_sample(job, one)
        wanted, got = job.hooks.reference(sample, job.spec), job.hooks.preprocess(sample, job.spec)
        if wanted is None:
            continue
        compared += 1
        identical &= wanted.keys() == got.keys() and all(np.array_equal(got[name], wanted[name]) for name in wanted)
        error = _error(wanted, got)
        worst = None if worst is None or error is None else max(worst, error)
        if error is None or error > ALLOWED:
            differing += 1
            if job.takes_photos and len(apart) < EXPLAINED:
                apart.append(_shown(job, one, sample, got))
    return PreprocessParity(
        images=compared,
        max_abs_error=worst,
        allowed=ALLOWED,
        identical=identical,
        passed=not (differing or shared),
        finding=explain_preprocessing(apart, job.spec.preprocess)
        if apart and job.spec.preprocess
        else one_buffer(compared)
        if shared and not differing
        else None,
        source=_source(job, compared),
    )


def read_sample(job: Job, one: Prepared) -> Any:
    """A sample of the manifest, read again."""
    item = job.data.items[one.index]
    return job.hooks.read(item, Noting(open_store(job.data.manifest.root), item), job.spec)


def shares_a_buffer(job: Job, images: Sequence[Prepared]) -> bool:
    """Whether the plugin's preprocessing gives two threads at once the same memory, where one overwrites the other."""
    import numpy as np

    together, chosen = threading.Barrier(2), [images[0], images[-1]]

    def arrays(one: Prepared) -> Mapping[str, np.ndarray]:
        try:
            return job.hooks.preprocess(read_sample(job, one), job.spec)
        finally:
            together.wait()  # each in a thread of its own

    with ThreadPoolExecutor(2, thread_name_prefix="porter-caller") as pool:
        first, second = pool.map(arrays, chosen)
    return any(np.shares_memory(values, second[name]) for name, values in first.items() if name in second)


def _shown(job: Job, one: Prepared, sample: Any, got: Mapping[str, np.ndarray]) -> Sample:
    item = job.data.items[one.index]
    data = open_store(job.data.manifest.root).read(item.file)
    return Sample(id=item.id, data=data, pixels=sample.pixels, tensor=got[job.spec.inputs[0].name])


def _error(wanted: Mapping[str, np.ndarray], got: Mapping[str, np.ndarray]) -> float | None:
    """The largest difference; None where an array is missing, has another shape, or a value that is not finite."""
    import numpy as np

    worst = 0.0
    for name, right in wanted.items():
        values = got.get(name)
        if values is None or values.shape != right.shape or not np.isfinite(values.astype(np.float64)).all():
            return None
        difference = np.abs(values.astype(np.float64) - right.astype(np.float64))
        worst = max(worst, float(difference.max(initial=0.0)))
    return worst


def _source(job: Job, compared: int) -> Message | str:
    """What it was compared with."""
    if not compared:
        return Message("nothing to compare with: the plugin's own preprocessing declares no reference")
    if job.hooks.implementer("porter_reference") is not None:
        return Message("the plugin's own reference")
    return ""
