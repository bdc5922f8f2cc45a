"""porter.contracts.rows: rows of one shape, of any shape, and lists, by the same names."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from porter.contracts.rows import (
    _nearest_first,
    copied,
    count_of,
    flat_pair,
    is_listed,
    is_ragged,
    joined,
    matched,
    part,
    ragged,
    repeated,
    same_bits,
    single,
    stacked,
    taken,
    whole,
)


def boxes(*counts: int, listed: bool = True) -> np.ndarray:
    """Each sample's own number of rows of four values."""
    numbers = itertools.count()
    return ragged(
        (np.array([[next(numbers)] * 4 for _ in range(count)], np.float32).reshape(count, 4) for count in counts),
        listed=listed,
    )


def shapes(values: np.ndarray) -> list[tuple[int, ...]]:
    return [row.shape for row in values]


def test_samples_of_one_shape_are_one_array_and_others_stay_apart() -> None:
    sizes = [(2, 3), (2, 3), (4, 5)]
    samples = [{"x": np.full(size, n, np.float32), "n": np.int64(n)} for n, size in enumerate(sizes)]
    alike, mixed = stacked(samples[:2]), stacked(samples)
    assert alike["x"].shape == (2, 2, 3) and alike["x"].dtype == np.float32 and not is_ragged(alike["x"])
    assert is_ragged(mixed["x"]) and not is_listed(mixed["x"]) and shapes(mixed["x"]) == sizes
    assert mixed["n"].tolist() == [0, 1, 2] and count_of(mixed) == 3
    assert stacked([]) == {} and count_of({}) == 0


def test_arrays_of_one_shape_stay_rows_of_their_own() -> None:
    """numpy would make one array of them."""
    values = ragged([np.zeros((2, 3)), np.ones((2, 3))])
    assert is_ragged(values) and values.shape == (2,) and values[1].sum() == 6
    assert ragged([]).shape == (0,)


def test_a_sample_is_the_only_row() -> None:
    sample = {"x": np.arange(6).reshape(2, 3), "n": np.array(7)}
    rows = single(sample)
    assert rows["x"].shape == (1, 2, 3) and rows["n"].shape == (1,) and rows["n"][0] == 7


@pytest.mark.parametrize("values", [np.arange(8).reshape(4, 2), boxes(2, 0, 1, 3), boxes(2, 0, 1, 3, listed=False)])
def test_rows_are_taken_cut_repeated_and_joined_alike_of_every_kind(values: np.ndarray) -> None:
    rows = {"y": values}
    some = taken(rows, [3, 0])["y"]
    assert [row.tolist() for row in some] == [values[3].tolist(), values[0].tolist()]
    cut = part(rows, 1, 3)["y"]
    assert len(cut) == 2 and np.shares_memory(cut[1], values[2]) == bool(values[2].size)
    assert [row.tolist() for row in repeated(rows, 3, 3)["y"]] == [values[3].tolist()] * 3
    again = joined([part(rows, 0, 1), part(rows, 1, 4)])["y"]
    assert same_bits(again, values) and is_ragged(again) == is_ragged(values)
    for kept in (some, cut, again):
        assert is_listed(kept) == is_listed(values)


def test_rows_of_two_sizes_are_joined_as_rows_of_any() -> None:
    found = joined([{"x": np.zeros((2, 3, 4))}, {"x": np.ones((1, 5, 4))}])["x"]
    assert shapes(found) == [(3, 4), (3, 4), (5, 4)] and not is_listed(found)
    mixed = joined([{"x": np.zeros((2, 3))}, {"x": ragged([np.ones(3)])}])["x"]
    assert is_ragged(mixed) and shapes(mixed) == [(3,)] * 3


@pytest.mark.parametrize("values", [np.zeros((2, 3)), boxes(2, 1)])
def test_a_copy_is_in_memory_of_its_own(values: np.ndarray) -> None:
    kept = copied({"y": values})["y"]
    assert is_listed(kept) == is_listed(values) and same_bits(kept, values)
    values[0][:] = 9
    assert not (kept[0] == 9).any() and not same_bits(kept, values)


def test_rows_that_are_not_finite_are_told() -> None:
    assert whole(np.array([[0.0, 1], [np.nan, 1], [1, -np.inf]])).tolist() == [True, False, False]
    assert whole(np.array([[1], [2]])).tolist() == [True, True]
    assert whole(np.array(["a", "b"])).tolist() == [True, True]
    values = ragged([np.array([np.nan]), np.zeros((0, 4)), np.array([1, 2])], listed=True)
    assert whole(values).tolist() == [False, True, True] and whole(values).dtype == bool


def test_the_same_bits() -> None:
    nan = np.array([[np.nan, 0.0]])
    assert same_bits(nan, nan.copy()) and not same_bits(nan, np.array([[np.nan, -0.0]]))
    assert not same_bits(np.zeros((2, 3)), np.zeros((3, 2))), "the same bytes in another shape"
    assert same_bits(boxes(1, 2), boxes(1, 2)) and not same_bits(boxes(1, 2), boxes(2, 1))
    assert not same_bits(boxes(1, 2), boxes(1, 2, 0))
    assert same_bits(ragged([np.zeros(3), np.zeros(3)]), np.zeros((2, 3)))


def test_plain_outputs_are_value_against_value() -> None:
    a, b = flat_pair(np.arange(12).reshape(2, 3, 2), np.arange(12.0).reshape(2, 3, 2))
    assert a.shape == b.shape == (2, 6) and a.tolist() == b.tolist()
    assert [len(one) for one in flat_pair(np.zeros((0, 3, 2)), np.zeros((0, 3, 2)))] == [0, 0]
    assert [one.shape for one in flat_pair(np.zeros((3, 0)), np.zeros((3, 0)))] == [(3, 0)] * 2


def test_rows_of_any_size_are_padded_with_zeros() -> None:
    a, b = flat_pair(ragged([np.ones(3), np.ones((2, 3))]), ragged([np.full(3, 2.0), np.full((2, 3), 2.0)]))
    assert a.tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6] and b.tolist() == [[2, 2, 2, 0, 0, 0], [2] * 6]
    a, b = flat_pair(ragged([np.ones(2)]), ragged([np.ones(3)]))
    assert (a - b).tolist() == [[0, 0, -1]], "what one has alone counts in full"
    assert [one.shape for one in flat_pair(ragged([]), ragged([]))] == [(0, 0)] * 2


def test_of_lists_neither_order_nor_neighbours_count() -> None:
    wanted = np.array([[0, 0, 9, 9], [5, 5, 6, 6], [7, 1, 8, 2]], np.float32)
    got = wanted[[2, 0, 1]] + np.float32(0.25)
    a, b = flat_pair(ragged([wanted], listed=True), ragged([got], listed=True))
    assert np.abs(a - b).max() == 0.25
    assert not np.allclose(*flat_pair(ragged([wanted]), ragged([got])), atol=0.3), "rows that are no list have an order"


def test_a_row_that_one_list_has_alone_stands_beside_zeros() -> None:
    a, b = matched(np.array([[1.0, 1], [4, 4]]), np.array([[4.0, 4]]))
    assert a.tolist() == [[1, 1], [4, 4]] and b.tolist() == [[0, 0], [4, 4]]
    a, b = matched(np.array([[4.0, 4]]), np.array([[9.0, 9], [4, 4]]))
    assert a.tolist() == [[4, 4], [0, 0]] and b.tolist() == [[4, 4], [9, 9]]
    assert [one.shape for one in matched(np.zeros((0, 4)), np.ones((2, 4)))] == [(2, 4)] * 2
    assert [one.shape for one in matched(np.zeros((0, 4)), np.zeros((0, 4)))] == [(0, 4)] * 2


def test_a_column_counts_by_its_own_size() -> None:
    """A score of 0 to 1 beside pixels: the rows are told apart by either."""
    wanted = np.array([[100.0, 0.9], [101.0, 0.1]])
    a, b = matched(wanted, np.array([[100.4, 0.1], [100.6, 0.9]]))
    assert a.tolist() == wanted.tolist() and b.tolist() == [[100.6, 0.9], [100.4, 0.1]]


def test_the_nearest_pair_is_taken_first() -> None:
    wanted, got = np.array([[0.0], [2.0], [10.0]]), np.array([[9.0], [1.9], [50.0]])
    assert matched(wanted, got)[1].tolist() == [[50], [1.9], [9]]


def test_a_row_that_is_not_finite_is_matched_last() -> None:
    a, b = matched(np.array([[1.0], [2.0]]), np.array([[np.nan], [1.1]]))
    assert a.tolist() == [[1], [2]] and b[0] == 1.1 and np.isnan(b[1])
    with np.errstate(all="raise"):
        b = matched(np.array([[1.0], [np.inf]]), np.array([[np.inf], [1.1]]))[1]
    assert b.tolist() == [[1.1], [np.inf]]


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (7, 3), elements=st.integers(-50, 50)), st.permutations(range(7)), st.integers(0, 6))
def test_a_list_in_another_order_is_the_same_list(values: np.ndarray, order: list[int], missing: int) -> None:
    """Held against the best matching that there is."""
    a, b = matched(values, values[order])
    assert np.array_equal(a, b)
    rest = values[order][np.arange(7) != missing]
    a, b = matched(values, rest)
    distances = np.abs(values[:, None] - rest[None]).sum(axis=2)
    assert distances[linear_sum_assignment(distances)].sum() == 0
    assert np.abs(a - b).sum() == np.abs(values[order][missing]).sum(), "but for the row that is missing"


def test_pairs_are_those_that_the_nearest_make_first() -> None:
    random = np.random.default_rng(0)
    for rows, columns in ((7, 7), (12, 5), (4, 9), (40, 40)):
        apart = np.round(random.random((rows, columns)), 1)  # with ties
        free_rows, free_columns, expected = set(range(rows)), set(range(columns)), dict[int, int]()
        for place in np.argsort(apart, axis=None, kind="stable").tolist():
            row, column = divmod(place, columns)
            if row in free_rows and column in free_columns:
                free_rows.remove(row), free_columns.remove(column)
                expected[row] = column
        assert _nearest_first(apart) == expected
