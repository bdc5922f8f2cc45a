"""porter.pipeline.evaluation.infer: samples of any size and lists of any length, whatever batch the session takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import SPEC, TinyPlugin, start, write_photos

from porter.contracts.rows import Rows, count_of, is_listed, ragged
from porter.contracts.runtime import Session
from porter.errors import BadInput, PluginError
from porter.pipeline.evaluation.infer import infer
from porter.pipeline.job.job import Job
from porter.records.artefact import SessionInfo
from porter.records.spec import TensorSpec

LISTED = replace(
    SPEC,
    inputs=(TensorSpec(name="image", shape=("N", 3, "H", "W")), TensorSpec(name="level", shape=("N",))),
    outputs=(TensorSpec(name="class", shape=("N", 3)), TensorSpec(name="boxes", shape=("K", 2), index_column=0)),
)


class Told(Session):
    """Of a sample whose level is n, the mean of each channel, and n rows of n; it keeps the batches that it was fed."""

    def __init__(self, batch: int | None = None) -> None:
        self.info = SessionInfo(runtime="told", version="1", precision="fp32", provider="cpu", threads=1, batch=batch)
        self.sizes: list[tuple[int, ...]] = []

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        images, levels = feeds["image"], feeds["level"].astype(int)
        assert self.info.batch in (None, len(images)) and len(images) == len(levels)
        self.sizes.append(images.shape)
        rows = [[place, level] for place, level in enumerate(levels) for _ in range(level)]
        boxes = np.array(rows, np.float32).reshape(-1, 2)[::-1]  # in no order
        return {"class": images.mean(axis=(2, 3)), "boxes": boxes}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    labels = write_photos(tmp_path / "val", [0, 1, 2])
    return start(tmp_path / "out", tmp_path / "val", labels, plugin=TinyPlugin(LISTED)).job


def feeds_of(levels: list[int], sides: list[int] | None = None) -> Rows:
    images = [np.full((3, side, 4), level, np.float32) for level, side in zip(levels, sides or [5] * 99, strict=False)]
    image = np.stack(images) if sides is None else ragged(images)
    return {"image": image, "level": np.array(levels, np.float32)}


def check(outputs: Mapping[str, Any], levels: list[int]) -> None:
    assert outputs["class"][:, 0].tolist() == levels and is_listed(outputs["boxes"])
    assert [boxes.tolist() for boxes in outputs["boxes"]] == [[[level]] * level for level in levels]


def test_lists_are_divided_among_the_samples(job: Job) -> None:
    session = Told()
    check(infer(job, session, feeds_of([2, 0, 3])), [2, 0, 3])
    assert session.sizes == [(3, 3, 5, 4)]


@pytest.mark.parametrize(("batch", "calls"), [(1, 5), (2, 3), (4, 2), (8, 1)])
def test_a_fixed_batch_is_filled_and_what_fills_it_is_dropped(job: Job, batch: int, calls: int) -> None:
    session = Told(batch)
    check(infer(job, session, feeds_of([1, 0, 2, 3, 2])), [1, 0, 2, 3, 2])
    assert [size[0] for size in session.sizes] == [batch] * calls


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_samples_of_other_sizes_have_calls_of_their_own(job: Job, batch: int | None) -> None:
    session, sides = Told(batch), [5, 5, 7, 5, 6]
    feeds = feeds_of([1, 2, 3, 0, 2], sides)
    check(infer(job, session, feeds), [1, 2, 3, 0, 2])
    assert count_of(feeds) == 5 and feeds["image"][2].shape == (3, 7, 4), "what was given is left alone"
    wanted = {None: [(2, 5), (1, 7), (1, 5), (1, 6)], 1: [(1, side) for side in sides]}
    assert [(size[0], size[2]) for size in session.sizes] == wanted.get(batch, [(2, 5), (2, 7), (2, 5), (2, 6)])


def test_an_index_of_a_row_that_is_not_in_the_batch_is_the_plugins_fault(job: Job) -> None:
    class Wrong(Told):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            return {**super().run(feeds), "boxes": np.array([[2, 1]], np.float32)}

    with pytest.raises(PluginError, match=r"^told: output 'boxes': column 0 says sample 2 of a batch of 2"):
        infer(job, Wrong(), feeds_of([1, 1]))


def test_an_output_that_is_no_list_has_a_row_for_each_sample(job: Job) -> None:
    class Short(Told):
        def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = super().run(feeds)
            return {**found, "class": found["class"][:1]}

    with pytest.raises(BadInput, match=r"told: 2 images in, but output 'class' has 1 rows"):
        infer(job, Short(), feeds_of([1, 1]))
