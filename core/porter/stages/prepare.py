"""preprocess: the images of a manifest to arrays, in order, on a few threads, in bounded memory."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from porter.contracts.requests import Image
from porter.data.store import ImageStore, open_store
from porter.errors import BadInput, ImageError, PluginError, one_line
from porter.images.decode import decode
from porter.records.manifest import Item
from porter.stages.job import Job

if TYPE_CHECKING:
    import numpy as np

READ_AHEAD = 4
"""Images under way for each worker."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """One image of the manifest, preprocessed or failed."""

    index: int
    """Its place in the manifest."""
    array: np.ndarray | None
    """float32 C×H×W; None: the image cannot be read whole, for `reason`."""
    reason: str = ""
    conversions: tuple[str, ...] = ()
    digest: bytes = b""
    """SHA-256 of the file; empty where it was not read."""
    read_seconds: float = 0.0
    preprocess_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive images of the manifest, the readable ones in one array."""

    members: tuple[Prepared, ...]
    """All of them, in order, without their arrays."""
    indices: tuple[int, ...]
    """Places in the manifest of the rows of `array`."""
    array: np.ndarray | None
    """float32 N×C×H×W, N = len(indices); None where there is nothing to infer."""

    @property
    def failed(self) -> tuple[Prepared, ...]:
        """The members that cannot be read."""
        return tuple(one for one in self.members if one.reason)


def prepare(job: Job, indices: Sequence[int] | None = None) -> Iterator[Prepared]:
    """Preprocess the manifest's images (or those at `indices`), in order."""
    items, store = job.manifest.items, open_store(job.manifest.root)
    wanted = range(len(items)) if indices is None else indices
    window: deque[Future[Prepared]] = deque()
    shape: tuple[int, ...] | None = None
    pool = ThreadPoolExecutor(job.threads, thread_name_prefix="porter-preprocess")
    try:
        for place, index in enumerate(wanted, start=1):
            window.append(pool.submit(_prepare_one, job, index, items[index], store))
            while len(window) >= READ_AHEAD * job.threads or (window and place == len(wanted)):
                ready = window.popleft().result()
                shape = _check(ready, shape, job)
                yield ready
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batches(prepared: Iterable[Prepared], size: int) -> Iterator[Batch]:
    """Gather up to `size` readable images a batch; images that failed travel with the batch they fall into."""
    members: list[Prepared] = []
    good = 0
    for one in prepared:
        members.append(one)
        good += one.array is not None
        if good == size:
            yield _batch(members)
            members, good = [], 0
    if members:
        yield _batch(members)


def readable(job: Job, count: int) -> list[Prepared]:
    """Up to `count` readable images, evenly spaced over the manifest. Raises `BadInput` where none can be read."""
    from porter.data.selection import evenly_spaced

    total = len(job.manifest.items)
    spaced = evenly_spaced(total, min(count, total))
    found = [one for one in prepare(job, spaced) if one.array is not None]
    if len(found) < min(count, total):
        # Some could not be read: take others until there are enough.
        taken = set(spaced)
        rest = [index for index in range(total) if index not in taken]
        for one in prepare(job, rest):
            if len(found) >= count:
                break
            if one.array is not None:
                found.append(one)
    if not found:
        raise BadInput(f"{job.manifest.root}: not one of the {total} images can be read")
    return found


def _batch(members: Sequence[Prepared]) -> Batch:
    import numpy as np

    good = [one for one in members if one.array is not None]
    return Batch(
        members=tuple(replace(one, array=None) for one in members),
        indices=tuple(one.index for one in good),
        array=np.stack([one.array for one in good if one.array is not None]) if good else None,
    )


def _prepare_one(job: Job, index: int, item: Item, store: ImageStore) -> Prepared:
    started = time.perf_counter()
    try:
        data = store.read(item.id)
    except OSError as error:
        return Prepared(index=index, array=None, reason=f"cannot be read: {error.strerror or error}")
    read = time.perf_counter()
    digest = hashlib.sha256(data).digest()
    array, reason = None, ""
    conversions: tuple[str, ...] = ()
    try:
        decoded = decode(data, item.id)
        conversions = decoded.conversions
        array = job.hooks.preprocess(Image(id=item.id, pixels=decoded.pixels), job.spec.preprocess)
    except ImageError as error:
        reason = str(error).removeprefix(f"{one_line(item.id)}: ")  # it stands beside the image's name already
    return Prepared(
        index=index,
        array=array,
        reason=reason,
        conversions=conversions,
        digest=digest,
        read_seconds=read - started,
        preprocess_seconds=time.perf_counter() - read,
    )


def _check(ready: Prepared, shape: tuple[int, ...] | None, job: Job) -> tuple[int, ...] | None:
    """Every array is float32 with three axes, and as large as the first."""
    if ready.array is None:
        return shape
    found = ready.array
    if str(found.dtype) != "float32" or found.ndim != 3 or shape not in (None, found.shape):
        raise PluginError(
            f"plugin {job.hooks.plugin!r}: porter_preprocess gave {found.dtype} {'×'.join(map(str, found.shape))}, "
            f"it must give float32 {'×'.join(map(str, shape)) if shape else 'C×H×W'}"
        )
    return tuple(found.shape)
