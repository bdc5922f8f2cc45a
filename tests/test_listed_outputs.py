"""porter.pipeline.evaluation.listed: outputs with rows of their own number, divided among the samples of a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tiny import SPEC

from porter.contracts.rows import is_listed, ragged
from porter.errors import PluginError
from porter.pipeline.evaluation.listed import divided
from porter.records.spec import ModelSpec, TensorSpec


def spec_of(**listed: Any) -> ModelSpec:
    from dataclasses import replace

    boxes = TensorSpec(**{"name": "boxes", "shape": ("K", 5), **listed})
    return replace(SPEC, outputs=(boxes, TensorSpec(name="number", shape=("N",)), *SPEC.outputs))


def by_index(values: np.ndarray, rows: int) -> list[list[list[float]]]:
    return [one.tolist() for one in divided({"boxes": values}, spec_of(index_column=0), rows)["boxes"]]


def test_rows_go_to_the_sample_that_their_index_says() -> None:
    values = np.array([[1, 10, 11], [0, 20, 21], [1, 30, 31], [3, 40, 41]], np.float32)
    assert by_index(values, 4) == [[[20, 21]], [[10, 11], [30, 31]], [], [[40, 41]]]
    assert by_index(values[:0], 2) == [[], []]
    found = divided({"boxes": values}, spec_of(index_column=0), 4)["boxes"]
    assert is_listed(found) and found[2].shape == (0, 2) and found[0].dtype == np.float32


def test_the_index_may_stand_in_any_column_and_be_a_whole_number() -> None:
    values = np.array([[10, 1, 11], [20, 0, 21]], np.int64)
    found = divided({"boxes": values}, spec_of(index_column=1), 2)["boxes"]
    assert [one.tolist() for one in found] == [[[20, 21]], [[10, 11]]]
    assert by_index(np.array([[0.9999999, 5.0]], np.float32), 2) == [[], [[5]]]


@pytest.mark.parametrize(("index", "told"), [(-1, -1), (2, 2), (7, 7)])
def test_an_index_of_no_sample_is_refused(index: float, told: int) -> None:
    values = np.array([[0, 1], [index, 1], [1, 1]], np.float32)
    with pytest.raises(PluginError, match=rf"^output 'boxes': column 0 says sample {told} of a batch of 2$"):
        by_index(values, 2)


@pytest.mark.parametrize(("shape", "told"), [((4,), "4"), ((2, 3, 4), "2×3×4"), ((2, 0), "2×0")])
def test_an_output_without_that_column_is_refused(shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(PluginError, match=rf"^output 'boxes' is {told}: it has no column 0$"):
        by_index(np.zeros(shape, np.float32), 2)


def counted(counts: Any, values: np.ndarray) -> np.ndarray:
    outputs = {"boxes": values, "number": counts}
    return divided(outputs, spec_of(shape=("N", 3, 2), counts="number"), len(values))["boxes"]


@pytest.mark.parametrize("counts", [np.array([2, 0, 3]), np.array([[2], [0], [3]], np.int32), np.array([2.0, 0, 3])])
def test_what_is_padded_is_cut_to_what_is_counted(counts: np.ndarray) -> None:
    values = np.arange(18).reshape(3, 3, 2)
    found = counted(counts, values)
    assert is_listed(found) and [one.tolist() for one in found] == [values[0, :2].tolist(), [], values[2].tolist()]


@pytest.mark.parametrize("wrong", [4, -1])
def test_a_count_of_rows_that_are_not_there_is_refused(wrong: int) -> None:
    with pytest.raises(PluginError, match=rf"^output 'number' counts rows of 'boxes' that it does not have: {wrong}$"):
        counted(np.array([1, wrong]), np.zeros((2, 3, 2)))


def test_counts_of_other_samples_are_refused() -> None:
    with pytest.raises(PluginError, match=r"^output 'number' of 3 counts 'boxes' of 2×3×2, for 2 samples$"):
        counted(np.array([1, 1, 1]), np.zeros((2, 3, 2)))
    with pytest.raises(PluginError, match=r"^no output 'number', which says how many rows of 'boxes' are filled$"):
        divided({"boxes": np.zeros((2, 3, 2))}, spec_of(shape=("N", 3, 2), counts="number"), 2)


def test_without_either_all_rows_are_of_the_only_sample() -> None:
    values = np.zeros((7, 5))
    found = divided({"boxes": values}, spec_of(), 1)["boxes"]
    assert is_listed(found) and len(found) == 1 and found[0] is values
    with pytest.raises(PluginError, match=r"^output 'boxes' has rows of no sample: give its spec an index_column$"):
        divided({"boxes": values}, spec_of(), 2)


def test_other_outputs_and_what_a_plugin_divided_are_left_alone() -> None:
    own, scores = ragged([np.zeros((2, 4))], listed=True), np.zeros((1, 3))
    found = divided({"boxes": own, "class": scores, "more": scores}, spec_of(index_column=0), 1)
    assert found["boxes"] is own and found["class"] is scores and found["more"] is scores
    assert "boxes" not in divided({"class": scores}, spec_of(index_column=0), 1)
