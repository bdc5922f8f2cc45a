"""preprocess: the samples of a manifest to arrays, in order, on a few threads, in bounded memory.

Each sample is preprocessed straight into its row of a slab, arrays of as many rows as an evaluation batch has. A batch
is then the slab itself, and slabs are used again: nothing is copied, and memory does not grow with the samples. Inputs
of free size have no slab.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from porter.contracts.requests import Image
from porter.contracts.rows import part, stacked
from porter.data.noting import Noting, sample_digest
from porter.data.store import ImageStore, open_store
from porter.errors import BadInput, ImageError, PluginError
from porter.images.appearance import Appearance, appearance_of
from porter.images.decode import decode
from porter.images.one_large import one_large_image
from porter.images.pipeline import row_shape
from porter.pipeline.evaluation.shapes import Batch, Prepared, Slab
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.processors import end
from porter.records.message import Message, Text
from porter.records.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np

READ_AHEAD = 4
"""Samples under way for each thread, at least. A batch more than are inferred at once is under way in any case."""


def prepare(data: Dataset, indices: Sequence[int] | None = None) -> Generator[Prepared, None, None]:
    """Preprocess the manifest's samples (or those at `indices`), in order."""
    job, items, store = data.job, data.items, open_store(data.manifest.root)
    wanted = range(len(items)) if indices is None else indices
    rows = min(job.request.evaluation_batch, max(len(wanted), 1))
    ahead = max(READ_AHEAD * job.threads, (1 + job.evaluation_streams) * rows)
    shapes = row_shapes(job.spec)
    free: deque[dict[str, np.ndarray]] = deque()
    slab = Slab({}, free)
    window: deque[Future[Prepared]] = deque()
    seen: dict[str, tuple[int, ...]] = {}
    own = job.hooks.implementer("porter_read") is not None
    # A plugin's own way of reading says itself what it needs.
    at_once = 0 if own else store.reads_at_once
    readers = ThreadPoolExecutor(at_once, "porter-read") if at_once else None
    try:
        for place, index in enumerate(wanted):
            if place % rows == 0:
                slab = Slab(free.popleft() if free else _empty(shapes, rows), free)
            if own:
                work = partial(_read_by_plugin, data, index, store, slab, place % rows)
            else:
                here = partial(store.read, items[index].file)
                read = here if readers is None else readers.submit(here).result
                work = partial(_prepare_one, data, index, read, slab, place % rows)
            window.append(job.processors.pool.submit(work))
            while len(window) >= ahead or (window and place == len(wanted) - 1):
                ready = window.popleft().result()
                _check(ready, seen, job)
                yield ready
    finally:
        end(window)
        if readers is not None:
            readers.shutdown(cancel_futures=True)


def row_shapes(spec: ModelSpec) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of one sample of every input that is of a fixed size, as preprocessing gives it."""
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for place, tensor in enumerate(spec.inputs):
        dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype
        if place == 0 and spec.preprocess is not None:  # its layout need not be that of the input
            shape = row_shape(spec.preprocess)
            if shape is not None:
                found[tensor.name] = shape, dtype
            continue
        sizes = tuple(size for size in tensor.shape[1:] if isinstance(size, int))
        if len(sizes) == len(tensor.shape) - 1:
            found[tensor.name] = sizes, dtype
    return found


def batches(prepared: Iterable[Prepared], size: int, ahead: int = 0) -> Iterator[Batch]:
    """Cut the stream into batches of `size` consecutive samples, by position: which are in one depends on nothing else.
    A sample that failed keeps its place and has no row.

    The arrays of a batch hold until `ahead` + 1 further batches were asked for.
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
    """Up to `count` readable samples, evenly spaced over the manifest. Raises `BadInput` where none can be read."""
    from porter.data.selection import evenly_spaced

    total = len(data.items)
    spaced = evenly_spaced(total, min(count, total))
    found = [one for one in prepare(data, spaced) if one.arrays]
    if len(found) < min(count, total):
        # Some could not be read: take others until there are enough.
        taken = set(spaced)
        rest = [index for index in range(total) if index not in taken]
        for one in prepare(data, rest):
            if len(found) >= count:
                break
            if one.arrays:
                found.append(one)
    if not found:
        raise BadInput(f"{data.manifest.root}: not one of the {total} images can be read")
    return found


def _empty(shapes: Mapping[str, tuple[tuple[int, ...], str]], rows: int) -> dict[str, np.ndarray]:
    import numpy as np

    return {name: np.empty((rows, *shape), dtype) for name, (shape, dtype) in shapes.items()}


def _slab_of(members: Sequence[Prepared], size: int) -> Slab | None:
    """The slab that holds these samples in order and no others; None where there is none."""
    slab = members[0].slab
    if slab is None or slab.rows not in (size, len(members)):
        return None
    whole = all(one.slab is slab and one.row == row for row, one in enumerate(members))
    return slab if whole else None


def _batch(members: Sequence[Prepared], slab: Slab | None) -> Batch:
    good = [one for one in members if one.arrays]
    if good and slab is not None and all(_lies_in(one, slab) for one in good):
        for row, one in enumerate(good):
            if row != one.row:  # a sample before it failed: close the gap
                for name, values in one.arrays.items():
                    slab.arrays[name][row] = values
        feeds = part(slab.arrays, 0, len(good))
    else:
        feeds = stacked([one.arrays for one in good])
    return Batch(members=tuple(members), indices=tuple(one.index for one in good), feeds=feeds)


def _lies_in(one: Prepared, slab: Slab) -> bool:
    """Whether every array of a sample is its row of the slab."""
    arrays = slab.arrays
    return one.arrays.keys() == arrays.keys() and all(
        values.base is arrays[name] for name, values in one.arrays.items()
    )


def _prepare_one(data: Dataset, index: int, read: Callable[[], bytes], slab: Slab, row: int) -> Prepared:
    started = time.perf_counter()
    try:
        content = read()
    except OSError as error:
        return _unread(index, error)
    read_seconds = time.perf_counter() - started
    with data.job.processors.for_image(), one_large_image():
        return _preprocessed(data, index, content, slab, row, read_seconds)


def _unread(index: int, error: OSError) -> Prepared:
    return Prepared(index=index, reason=Message("cannot be read: {why}", why=str(error.strerror or error)))


def _preprocessed(data: Dataset, index: int, content: bytes, slab: Slab, row: int, read_seconds: float) -> Prepared:
    started = time.perf_counter()
    item = data.items[index]
    digest = sample_digest(item, [hashlib.sha256(content).digest()])
    arrays, look = dict[str, Any](), None
    reason: Text = ""
    conversions: tuple[str, ...] = ()
    try:
        decoded = decode(content, item.id)
        conversions, look = decoded.conversions, appearance_of(content, decoded.pixels)
        arrays = _into_row(data.job, Image(id=item.id, pixels=decoded.pixels, box=item.box), slab, row)
    except ImageError as error:
        reason = cast("Text", error.reason)  # without the name, which stands beside it already
    return Prepared(
        index=index,
        arrays=arrays,
        reason=reason,
        conversions=conversions,
        digest=digest,
        look=look,
        read_seconds=read_seconds,
        preprocess_seconds=time.perf_counter() - started,
        slab=slab,
        row=row,
    )


def _read_by_plugin(data: Dataset, index: int, store: ImageStore, slab: Slab, row: int) -> Prepared:
    """A sample that the model's own plugin reads."""
    started = time.perf_counter()
    item = data.items[index]
    noting = Noting(store, item)
    arrays, look = dict[str, Any](), None
    reason: Text = ""
    between = started
    with data.job.processors.for_image(), one_large_image():
        try:
            sample = data.job.hooks.read(item, noting, data.job.spec)
            between = time.perf_counter()
            look = _look_of(sample)
            arrays = _into_row(data.job, sample, slab, row)
        except ImageError as error:
            reason = cast("Text", error.reason)
        except OSError as error:
            return _unread(index, error)
    try:
        digest = noting.noted
    except OSError as error:
        return _unread(index, error)
    return Prepared(
        index=index,
        arrays=arrays,
        reason=reason,
        digest=digest,
        look=look,
        read_seconds=between - started,
        preprocess_seconds=time.perf_counter() - between,
        slab=slab,
        row=row,
    )


def _look_of(sample: Any) -> Appearance | None:
    return appearance_of(b"", sample.pixels) if isinstance(sample, Image) else None


def _into_row(job: Job, sample: Any, slab: Slab, row: int) -> dict[str, np.ndarray]:
    """The preprocessed sample in its row of the slab; what does not fit there stays an array of its own."""
    out = {name: values[row] for name, values in slab.arrays.items()}
    found = job.hooks.preprocess(sample, job.spec, out)
    for name, values in found.items():
        place = out.get(name)
        if place is not None and values is not place and values.dtype == place.dtype and values.shape == place.shape:
            place[...] = values
            found[name] = place
    return found


def _check(ready: Prepared, seen: dict[str, tuple[int, ...]], job: Job) -> None:
    """Every array has the type of its input, or float32, and is as large as the first where the size is not free; that
    of an image has three axes."""
    for place, tensor in enumerate(job.spec.inputs):
        found = ready.arrays.get(tensor.name)
        if found is None:
            continue
        free = any(isinstance(size, str) for size in tensor.shape[1:])
        first = found.shape if free else seen.setdefault(tensor.name, found.shape)
        image = place == 0 and job.spec.preprocess is not None
        if str(found.dtype) not in ("float32", tensor.dtype) or found.shape != first or (image and found.ndim != 3):
            wanted = "C×H×W" if image and found.ndim != 3 else "×".join(map(str, first))
            raise PluginError(
                f"plugin {job.hooks.plugin!r}: porter_preprocess gave {found.dtype} {'×'.join(map(str, found.shape))}, "
                f"must give {tensor.dtype} {wanted}"
            )
