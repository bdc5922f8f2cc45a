"""porter.pipeline.evaluation.prepare: rows filled in place, batches cut by position, memory used again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.requests import Image
from porter.images.decode import decode
from porter.images.pipeline import reference_pipeline
from porter.pipeline.evaluation.prepare import batches, prepare
from porter.pipeline.evaluation.shapes import Batch
from porter.records.spec import ModelSpec

LABELS = [0, 1, 2, 1, 1, 2, 0, 0, 2, 1, 0]


def job_of(folder: Path, batch: int, *, broken: tuple[int, ...] = (), plugin: Any = None) -> Any:
    labels = write_photos(folder / "val", LABELS)
    for number in broken:
        (folder / f"val/photo {number:03}.jpg").write_bytes(b"no picture")
    return start(folder / "out", folder / "val", labels, batch=batch, plugin=plugin, threads=2).job


def expected(job: Any, index: int) -> np.ndarray:
    path = Path(job.data.manifest.root) / job.data.items[index].id
    return reference_pipeline(decode(path.read_bytes(), path.name).pixels, job.spec.image)


def check(job: Any, batch: Batch) -> None:
    assert len(batch.feeds["image"]) == len(batch.indices)
    for row, index in zip(batch.feeds["image"], batch.indices, strict=True):
        np.testing.assert_array_equal(row, expected(job, index))


@pytest.mark.parametrize("size", [1, 3, 4, 20])
def test_batches_are_cut_by_position(tmp_path: Path, size: int) -> None:
    job = job_of(tmp_path, size, broken=(0, 5, 6, 10))
    seen = []
    for number, batch in enumerate(batches(prepare(job.data), size)):
        places = [one.index for one in batch.members]
        assert places == list(range(number * size, min((number + 1) * size, len(LABELS))))
        assert [one.index for one in batch.members if one.reason] == [
            place for place in places if place in (0, 5, 6, 10)
        ]
        assert batch.indices == tuple(place for place in places if place not in (0, 5, 6, 10))
        if batch.indices:
            check(job, batch)
        else:
            assert not batch.feeds
        seen += places
    assert seen == list(range(len(LABELS)))


def test_another_batch_size_than_the_evaluations_is_right_as_well(tmp_path: Path) -> None:
    job = job_of(tmp_path, 4, broken=(2,))
    for batch in batches(prepare(job.data), 3):
        check(job, batch)


def test_nothing_is_copied_and_memory_is_used_again(tmp_path: Path) -> None:
    job = job_of(tmp_path, 1)
    places = {
        batch.feeds["image"].__array_interface__["data"][0] for batch in batches(prepare(job.data), 1) if batch.feeds
    }
    assert len(places) < len(LABELS)


@pytest.mark.parametrize("ahead", [0, 2])
def test_a_batch_holds_while_others_are_asked_for(tmp_path: Path, ahead: int) -> None:
    job = job_of(tmp_path, 2)
    held: list[Batch] = []
    for batch in batches(prepare(job.data), 2, ahead):
        held.append(batch)
        for one in held[-1 - ahead :]:
            check(job, one)


class Own(TinyPlugin):
    """Gives an array of its own, and says whether it was offered a row."""

    def __init__(self) -> None:
        super().__init__()
        self.offered: set[bool] = set()

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec, out: Any) -> np.ndarray:
        self.offered.add(out is not None)
        return reference_pipeline(sample.pixels, spec.image)


def test_the_array_of_a_plugin_is_copied_into_its_row(tmp_path: Path) -> None:
    plugin = Own()
    job = job_of(tmp_path, 4, plugin=plugin)
    for batch in batches(prepare(job.data), 4):
        check(job, batch)
    assert plugin.offered == {True}


class Another(TinyPlugin):
    """Gives arrays of another size than its spec's crop."""

    @hookimpl
    def porter_preprocess(self, sample: Image) -> np.ndarray:
        return np.full((3, 5, 7), sample.pixels.mean(), np.float32)


def test_arrays_of_another_size_are_stacked(tmp_path: Path) -> None:
    job = job_of(tmp_path, 4, plugin=Another())
    shapes = [batch.feeds["image"].shape for batch in batches(prepare(job.data), 4)]
    assert shapes == [(4, 3, 5, 7), (4, 3, 5, 7), (3, 3, 5, 7)]
