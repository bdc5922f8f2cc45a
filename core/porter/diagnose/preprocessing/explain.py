"""Which fault explains that a pipeline's tensors are not those of the reference: the usual suspects, tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter.contracts.requests import Image
from porter.data.store import open_store
from porter.diagnose.preprocessing.fault_search import FACTOR, Search
from porter.diagnose.preprocessing.fault_trial import ALLOWED, Sample, Trial
from porter.diagnose.preprocessing.resizers import opencv_problem
from porter.diagnose.preprocessing.usual_faults import changes
from porter.errors import BadInput, one_line
from porter.images.decode import decode
from porter.records.message import Message, Text
from porter.records.spec import PreprocessSpec
from porter.records.suspects import PreprocessFinding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ALLOWED", "ONE_BUFFER", "Sample", "each_sample", "explain_preprocessing", "one_buffer", "read_samples"]
ONE_BUFFER = Message(
    "`porter_preprocess` returns one shared buffer: of two threads, each overwrites the tensor of the other"
)


def read_samples(root: str | Path, ids: Sequence[str], produce: Callable[[Image], NDArray[np.float32]]) -> list[Sample]:
    """All of `each_sample`."""
    return list(each_sample(root, ids, produce))


def each_sample(
    root: str | Path, ids: Sequence[str], produce: Callable[[Image], NDArray[np.float32]]
) -> Iterator[Sample]:
    """The images `ids` below a folder or URL, each with the tensor that `produce` (a `porter_preprocess`) makes of it.

    Raises `BadInput` for a file that cannot be read, and `ImageError` for one that is no whole image.
    """
    import numpy as np

    store = open_store(root)
    for image_id in ids:
        try:
            data = store.read(image_id)
        except OSError as error:
            raise BadInput(f"{one_line(store.name(image_id))}: cannot be read: {error.strerror or error}") from None
        pixels = decode(data, image_id).pixels
        # A copy: a plugin may hand out the same buffer every time.
        tensor = np.array(produce(Image(id=image_id, pixels=pixels)), np.float32)
        yield Sample(id=image_id, data=data, pixels=pixels, tensor=tensor)


def explain_preprocessing(samples: Sequence[Sample], spec: PreprocessSpec) -> PreprocessFinding:
    """Compare the samples' tensors with the reference pipeline of `spec`; where they differ, find out why.

    Each suspect is built into the reference pipeline, alone, then in pairs, then in growing sets of up to four; the
    smallest set that leaves nothing but rounding is the explanation, or else the one that brings the mean difference
    down by `FACTOR` on every image, or else on most of them (`Explanation.agreeing`). Sets that do so equally well are
    all named. A handful of images is enough; they should differ in size and aspect, and have colours.

    Raises ValueError without samples, and what `reference_pipeline` raises.
    """
    import numpy as np

    if not samples:
        raise ValueError("no samples")
    trials = [Trial(sample, spec) for sample in samples]
    problem = opencv_problem()
    search = Search(trials, spec, changes(spec, opencv=not problem))
    differing = [trial for trial in trials if trial.differs]
    shape = next((t.sample.tensor.shape for t in differing if t.sample.tensor.shape != t.reference.shape), None)
    broken = next((t.sample.id for t in differing if not np.isfinite(t.sample.tensor).all()), None)
    blank = next((t.sample.id for t in differing if _blank(t.sample.tensor) and not _blank(t.reference)), None)
    odd: Text = ""
    if broken is not None:
        odd = Message("the tensor of `{image}` contains NaN or infinite values", image=broken)
    elif shape is not None:
        odd = Message(
            "the shape is {shape}, declared is {declared}",
            shape=_shape(shape),
            declared=_shape(trials[0].reference.shape),
        )
    elif blank is not None:
        odd = Message("all values in the tensor of `{image}` are equal", image=blank)
    explanations = search.explanations() if differing and broken is None and blank is None else []
    return PreprocessFinding(
        images=len(trials),
        differing=len(differing),
        allowed=ALLOWED,
        max_difference=max(trial.before.largest for trial in trials) if not odd else None,
        mean_difference=float(np.mean([trial.before.mean for trial in trials])) if not odd else None,
        problem=odd,
        explanations=tuple(explanations),
        tried=search.tried,
        factor=FACTOR,
        unseen=tuple(change.suspect for change in search.unseen),
        untried=(problem,) if problem else (),
    )


def one_buffer(images: int) -> PreprocessFinding:
    """What is found of a pipeline whose tensors are right, and lie in memory that another thread writes to."""
    return PreprocessFinding(
        images=images,
        differing=0,
        allowed=ALLOWED,
        max_difference=None,
        mean_difference=None,
        problem=ONE_BUFFER,
        factor=FACTOR,
    )


def _blank(tensor: NDArray[np.float32]) -> bool:
    return tensor.size > 0 and bool((tensor == tensor.flat[0]).all())


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
