"""preprocess: the images of a manifest to arrays, in order, on a few threads, in bounded memory.

Each image is preprocessed straight into its row of a slab, an array of as many rows as an evaluation batch has. A batch
is then the slab itself, and slabs are used again: nothing is copied, and memory does not grow with the images.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, cast

from porter.contracts.requests import Image
from porter.data.store import open_store
from porter.errors import BadInput, ImageError, PluginError
from porter.images.appearance import appearance_of
from porter.images.decode import decode
from porter.images.one_large import one_large_image
from porter.pipeline.evaluation.shapes import Batch, Prepared, Slab
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.processors import end
from porter.records.message import Message, Text

if TYPE_CHECKING:
    import numpy as np

READ_AHEAD = 4
"""Images under way for each thread, at least. A batch more than are inferred at once is under way in any case."""


def prepare(data: Dataset, indices: Sequence[int] | None = None) -> Generator[Prepared, None, None]:
    """Preprocess the manifest's images (or those at `indices`), in order."""
    import numpy as np

    job, items, store = data.job, data.items, open_store(data.manifest.root)
    wanted = range(len(items)) if indices is None else indices
    rows = min(job.request.evaluation_batch, max(len(wanted), 1))
    ahead = max(READ_AHEAD * job.threads, (1 + job.evaluation_streams) * rows)
    height, width = job.spec.preprocess.crop
    shape = (rows, len(job.spec.preprocess.mean), max(height, 0), max(width, 0))
    free: deque[np.ndarray] = deque()
    slab = Slab(np.empty(0, np.float32), free)
    window: deque[Future[Prepared]] = deque()
    seen: tuple[int, ...] | None = None
    readers = ThreadPoolExecutor(store.reads_at_once, "porter-read") if store.reads_at_once else None
    try:
        for place, index in enumerate(wanted):
            if place % rows == 0:
                slab = Slab(free.popleft() if free else np.empty(shape, np.float32), free)
            here = partial(store.read, items[index].id)
            read = here if readers is None else readers.submit(here).result
            started = job.processors.pool.submit(_prepare_one, data, index, read, slab, place % rows)
            window.append(started)
            while len(window) >= ahead or (window and place == len(wanted) - 1):
                ready = window.popleft().result()
                seen = _check(ready, seen, job)
                yield ready
    finally:
        end(window)
        if readers is not None:
            readers.shutdown(cancel_futures=True)


def batches(prepared: Iterable[Prepared], size: int, ahead: int = 0) -> Iterator[Batch]:
    """Cut the stream into batches of `size` consecutive images, by position: which images are in one depends on nothing
    else. An image that failed keeps its place and has no row.

    The array of a batch holds until `ahead` + 1 further batches were asked for.
    """
    members: list[Prepared] = []
    lent: deque[Slab | None] = deque()
    for one in prepared:
        members.append(one)
        if len(members) == size:
            lent.append(_slab_of(members, size))
            yield _batch(members, lent[-1])
            members = []
            if len(lent) > ahead and (slab := lent.popleft()) is not None:
                slab.give_back()
    if members:
        yield _batch(members, _slab_of(members, size))


def readable(data: Dataset, count: int) -> list[Prepared]:
    """Up to `count` readable images, evenly spaced over the manifest. Raises `BadInput` where none can be read."""
    from porter.data.selection import evenly_spaced

    total = len(data.items)
    spaced = evenly_spaced(total, min(count, total))
    found = [one for one in prepare(data, spaced) if one.array is not None]
    if len(found) < min(count, total):
        # Some could not be read: take others until there are enough.
        taken = set(spaced)
        rest = [index for index in range(total) if index not in taken]
        for one in prepare(data, rest):
            if len(found) >= count:
                break
            if one.array is not None:
                found.append(one)
    if not found:
        raise BadInput(f"{data.manifest.root}: not one of the {total} images can be read")
    return found


def _slab_of(members: Sequence[Prepared], size: int) -> Slab | None:
    """The slab that holds these images in order and no others; None where there is none."""
    slab = members[0].slab
    if slab is None or len(slab.array) not in (size, len(members)):
        return None
    whole = all(one.slab is slab and one.row == row for row, one in enumerate(members))
    return slab if whole else None


def _batch(members: Sequence[Prepared], slab: Slab | None) -> Batch:
    import numpy as np

    good = [one for one in members if one.array is not None]
    array: np.ndarray | None = None
    if good and slab is not None and all(one.array is not None and one.array.base is slab.array for one in good):
        for row, one in enumerate(good):
            if row != one.row:  # an image before it failed: close the gap
                slab.array[row] = one.array
        array = slab.array[: len(good)]
    elif good:
        array = np.stack([one.array for one in good if one.array is not None])
    return Batch(
        members=tuple(members),
        indices=tuple(one.index for one in good),
        array=array,
    )


def _prepare_one(data: Dataset, index: int, read: Callable[[], bytes], slab: Slab, row: int) -> Prepared:
    started = time.perf_counter()
    try:
        content = read()
    except OSError as error:
        return Prepared(
            index=index, array=None, reason=Message("cannot be read: {why}", why=str(error.strerror or error))
        )
    read_seconds = time.perf_counter() - started
    with data.job.processors.for_image(), one_large_image():
        return _preprocessed(data, index, content, slab, row, read_seconds)


def _preprocessed(data: Dataset, index: int, content: bytes, slab: Slab, row: int, read_seconds: float) -> Prepared:
    started = time.perf_counter()
    name = data.items[index].id
    digest = hashlib.sha256(content).digest()
    array, look = None, None
    reason: Text = ""
    conversions: tuple[str, ...] = ()
    try:
        decoded = decode(content, name)
        conversions, look = decoded.conversions, appearance_of(content, decoded.pixels)
        array = _into_row(data.job, Image(id=name, pixels=decoded.pixels), slab, row)
    except ImageError as error:
        reason = cast("Text", error.reason)  # without the name, which stands beside it already
    return Prepared(
        index=index,
        array=array,
        reason=reason,
        conversions=conversions,
        digest=digest,
        look=look,
        read_seconds=read_seconds,
        preprocess_seconds=time.perf_counter() - started,
        slab=slab,
        row=row,
    )


def _into_row(job: Job, image: Image, slab: Slab, row: int) -> np.ndarray:
    """The preprocessed image in its row of the slab; what does not fit there stays an array of its own."""
    out: np.ndarray = slab.array[row]
    found = job.hooks.preprocess(image, job.spec.preprocess, out)
    if found is out or found.dtype != out.dtype or found.shape != out.shape:
        return found
    out[...] = found
    return out


def _check(ready: Prepared, shape: tuple[int, ...] | None, job: Job) -> tuple[int, ...] | None:
    """Every array is float32 with three axes, and as large as the first."""
    if ready.array is None:
        return shape
    found = ready.array
    if found.dtype != "float32" or found.ndim != 3 or shape not in (None, found.shape):
        raise PluginError(
            f"plugin {job.hooks.plugin!r}: porter_preprocess gave {found.dtype} {'×'.join(map(str, found.shape))}, "
            f"must give float32 {'×'.join(map(str, shape)) if shape else 'C×H×W'}"
        )
    return tuple(found.shape)
