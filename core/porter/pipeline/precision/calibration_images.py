"""calibration: the images that int8 is calibrated on, which are never among those that are scored."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from porter.contracts.rows import count_of, part, stacked
from porter.data.images_in import list_images
from porter.data.selection import evenly_spaced
from porter.data.store import ImageStore, open_store
from porter.errors import BadInput, one_line
from porter.files.urls import is_url
from porter.pipeline.evaluation.infer import Listener
from porter.pipeline.evaluation.prepare import prepare
from porter.pipeline.evaluation.shapes import Prepared
from porter.pipeline.job.job import Dataset, Job
from porter.records.calibration import CalibrationData
from porter.records.manifest import Item, Manifest

if TYPE_CHECKING:
    import numpy as np

BATCH = 8
"""Images whose intermediate tensors lie in memory at once."""


def calibration_manifest(job: Job) -> Manifest:
    """The images to calibrate on, without labels.

    Raises `BadInput` where one of a folder of the user's is among those that are scored, by name or by content.
    """
    scored, folder = job.data.manifest, job.request.calibration
    if folder is None:
        ids, root, found = scored.kept_apart, scored.root, scored.found
    else:
        root = str(Path(folder).resolve())
        listed = list_images(Path(folder))
        ids = tuple(listed[place] for place in evenly_spaced(len(listed), job.request.calibration_images))
        found = len(listed)
        _require_apart(folder, ids, scored)
    return Manifest(
        root=root,
        items=tuple(Item(name, "") for name in ids),
        found=found,
        selection="",
        labels_from="",
    )


def calibrate_on(job: Job, manifest: Manifest) -> tuple[list[dict[str, np.ndarray]], CalibrationData]:
    """What reaches the model when it infers these images, in batches by input name, and a report of them.

    Raises `BadInput` where none of them can be read.
    """
    with job.progress.step("calibration images", len(manifest.items)) as advance:
        prepared = []
        for one in prepare(Dataset(job, manifest)):
            prepared.append(one)
            advance(1)
    good = [one for one in prepared if one.arrays]
    if not good:
        raise BadInput(
            f"{one_line(manifest.root)}: none of the {len(prepared)} calibration images is readable. "
            "Check --calibration"
        )
    whole = hashlib.sha256()
    for one in good:
        whole.update(one.digest)
    listener = Listener(job)
    return [listener.hear(batch) for batch in _stacked(good, job.spec.fixed_batch)], CalibrationData(
        source="data" if job.request.calibration is None else "folder",
        root=job.request.calibration or job.request.data or "shipped with the plugin",
        found=manifest.found,
        ids=tuple(manifest.items[one.index].id for one in good),
        unreadable=tuple(manifest.items[one.index].id for one in prepared if not one.arrays),
        content_sha256=whole.hexdigest(),
    )


class Calibrating:
    """The calibration images for runtimes that quantise by themselves, prepared when they are first asked for."""

    def __init__(self, job: Job) -> None:
        self._job = job

    @cached_property
    def _prepared(self) -> tuple[list[dict[str, np.ndarray]], CalibrationData]:
        return calibrate_on(self._job, calibration_manifest(self._job))

    @property
    def data(self) -> CalibrationData:
        """Which images they are."""
        return self._prepared[1]

    def rows(self) -> Iterator[dict[str, np.ndarray]]:
        """One sample at a time, as the model takes it: one row of every input."""
        for batch in self._prepared[0]:
            yield from (part(batch, row, row + 1) for row in range(count_of(batch)))


def content_of(job: Job, data: CalibrationData) -> str:
    """What `content_sha256` would be now; empty where an image is gone."""
    store = open_store(job.request.calibration or job.data.manifest.root)
    whole = hashlib.sha256()
    try:
        for name in data.ids:
            whole.update(bytes.fromhex(store.digest(name)))
    except (BadInput, OSError):
        return ""
    return whole.hexdigest()


def _stacked(good: list[Prepared], fixed: int | None) -> Iterator[dict[str, np.ndarray]]:
    """Batches of samples of the same shapes; of a fixed size where the model has one, the last one then filled up with
    copies of its last sample."""
    size = fixed or BATCH
    alike: dict[tuple[tuple[int, ...], ...], list[dict[str, np.ndarray]]] = defaultdict(list)
    for one in good:
        alike[tuple(values.shape for values in one.arrays.values())].append(one.arrays)
    for arrays in alike.values():
        for start in range(0, len(arrays), size):
            some = arrays[start : start + size]
            yield stacked(some + [some[-1]] * (size - len(some) if fixed else 0))


def _require_apart(folder: str, ids: tuple[str, ...], scored: Manifest) -> None:
    """Stop where an image of the folder is scored as well."""
    store, kept = open_store(scored.root), open_store(folder)
    likely: dict[object, list[str]] = defaultdict(list)
    for item in scored.items:
        likely[_likeness(scored.root, item.id)].append(item.id)
    for name in ids:
        others = likely.get(_likeness(scored.root, name, folder), ())
        digest = _digest(kept, name) if others else ""
        twin = next((other for other in others if digest and _digest(store, other) == digest), None)
        if twin is not None:
            raise BadInput(
                f"--calibration {one_line(folder)}: image {one_line(name)} is also scored (as {one_line(twin)}). "
                "Use other images, or omit --calibration"
            )


def _likeness(root: str, name: str, folder: str = "") -> object:
    """What two images of the same content share, so that hardly any needs to be read: their size.

    Where the scored ones lie behind a URL, what can be had without reading them is the name of the file.
    """
    if is_url(root):
        return PurePosixPath(name).name
    try:
        return (Path(folder or root) / name).stat().st_size
    except OSError:
        return None


def _digest(store: ImageStore, name: str) -> str:
    """SHA-256 of an image; empty where it cannot be read: it is then neither scored nor calibrated on."""
    try:
        return store.digest(name)
    except (BadInput, OSError):
        return ""
