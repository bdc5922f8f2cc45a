"""porter.machine.statistics, the paired comparison: published values, values by hand, what holds for every input."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import scipy  # whose `stats` takes a second: only the worker of this file imports it
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from porter.machine.statistics import (
    Z95,
    binomial_tail,
    images_to_decide,
    mcnemar_exact,
    paired_difference,
    quantile,
    wilson,
)
from porter.pipeline.evaluation.pairing import compare_paired
from porter.records.paired import PairedVerdict

COUNTS = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
PAIRS = st.integers(1, 3000).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda b: st.tuples(st.just(b), st.integers(0, n - b), st.just(n)))
)
"""Pairs that only the first gets right, that only the second does, and all pairs."""


def test_normal_quantiles() -> None:
    assert pytest.approx(scipy.stats.norm.ppf(0.975), abs=1e-12) == Z95


class TestWilson:
    # Newcombe, "Two-sided confidence intervals for the single proportion", Stat. Med. 17 (1998), table I, method 3.
    @pytest.mark.parametrize(
        ("hits", "count", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_published(self, hits: int, count: int, low: float, high: float) -> None:
        found = wilson(hits, count)
        assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.005)
        assert found.confidence_percent == 95

    @given(COUNTS)
    def test_is_scipys_and_symmetric(self, case: tuple[int, int]) -> None:
        hits, count = case
        found, other = wilson(hits, count), wilson(count - hits, count)
        theirs = scipy.stats.binomtest(hits, count).proportion_ci(method="wilson")
        assert (found.low, found.high) == pytest.approx((100 * theirs.low, 100 * theirs.high), abs=1e-9)
        assert 0 <= found.low <= 100 * hits / count <= found.high <= 100
        assert (found.low, found.high) == pytest.approx((100 - other.high, 100 - other.low), abs=1e-9)

    @pytest.mark.parametrize(("hits", "count"), [(0, 0), (-1, 5), (6, 5)])
    def test_refuses_impossible_counts(self, hits: int, count: int) -> None:
        with pytest.raises(ValueError, match=f"{hits} of {count}"):
            wilson(hits, count)


class TestBinomialTail:
    def test_by_hand(self) -> None:
        assert binomial_tail(2, 3, 0.5) == pytest.approx(4 / 8)
        assert binomial_tail(3, 3, 0.1) == pytest.approx(0.001)
        assert binomial_tail(0, 3, 0.1) == binomial_tail(-1, 3, 0.1) == 1
        assert binomial_tail(4, 3, 0.9) == 0
        assert (binomial_tail(1, 3, 0), binomial_tail(3, 3, 1)) == (0, 1)

    @given(COUNTS, st.floats(0.001, 0.999))
    def test_is_scipys(self, case: tuple[int, int], probability: float) -> None:
        hits, count = case
        wanted = scipy.stats.binom.sf(hits - 1, count, probability)
        assert binomial_tail(hits, count, probability) == pytest.approx(wanted, rel=1e-8, abs=1e-200)


class TestQuantile:
    def test_by_hand(self) -> None:
        assert quantile([7.0], 0.9) == 7
        assert quantile([1.0, 2.0, 4.0], 0.5) == 2
        assert quantile([1.0, 2.0, 4.0], 0.75) == 3
        assert [quantile([1.0, 2.0, 4.0], share) for share in (0, 1)] == [1, 4]

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
    def test_is_numpys(self, values: list[float], share: float) -> None:
        assert quantile(sorted(values), share) == pytest.approx(float(np.quantile(values, share)), rel=1e-9, abs=1e-6)


# Worked examples for paired proportions by Fagerland, Lydersen and Laake. Bentur et al. (2009) is table II of their
# "Recommended tests and confidence intervals for paired binomial proportions", Stat. Med. 33 (2014), Cavo et al. (2012)
# in chapter 8 of "Statistical Analysis of Contingency Tables" (2017) and the tests of its package `contingencytables`.
BENTUR, CAVO = (1, 7, 21), (6, 16, 161)


class TestMcNemar:
    @pytest.mark.parametrize(("table", "p"), [(BENTUR, 0.0703125), (CAVO, 0.052479)])
    def test_published(self, table: tuple[int, int, int], p: float) -> None:
        assert mcnemar_exact(*table[:2]) == pytest.approx(p, abs=5e-7)

    def test_by_hand(self) -> None:
        assert mcnemar_exact(0, 0) == mcnemar_exact(3, 3) == mcnemar_exact(1, 0) == 1
        assert mcnemar_exact(0, 6) == pytest.approx(2 / 64)
        assert mcnemar_exact(1, 5) == pytest.approx(2 * 7 / 64)
        with pytest.raises(ValueError, match="-1"):
            mcnemar_exact(-1, 2)

    @given(PAIRS)
    def test_is_scipys_binomial_test(self, case: tuple[int, int, int]) -> None:
        first, second, _ = case
        assume(first + second)
        wanted = scipy.stats.binomtest(first, first + second, 0.5).pvalue
        assert mcnemar_exact(first, second) == pytest.approx(wanted, rel=1e-8, abs=1e-200)
        assert mcnemar_exact(first, second) == mcnemar_exact(second, first)


class TestPairedDifference:
    @pytest.mark.parametrize(
        ("table", "low", "high", "digits"), [(CAVO, -0.1240, -0.0054, 4), (BENTUR, -0.517, -0.026, 3)]
    )
    def test_published(self, table: tuple[int, int, int], low: float, high: float, digits: int) -> None:
        found = paired_difference(*table)
        assert (round(found.low / 100, digits), round(found.high / 100, digits)) == (low, high)

    def test_by_hand_where_no_pair_differs(self) -> None:
        """The variance is then d (1 - d) for the limit d, and (n d)^2 = z^2 n d (1 - d) gives d = z^2 / (n + z^2)."""
        wanted = 100 * Z95**2 / (1000 + Z95**2)
        found = paired_difference(0, 0, 1000)
        assert (found.low, found.high) == pytest.approx((-wanted, wanted))

    @given(PAIRS)
    def test_is_the_closed_form(self, case: tuple[int, int, int]) -> None:
        """Yang, Sun and Hardin, Stat. Med. 32 (2013) 1336: both limits are roots of one polynomial of degree 4."""
        b, c, n = case
        assume(max(b, c) < n)  # else 1 is a double root, which numpy finds less exactly
        g, d = Z95**2, b - c
        polynomial = [
            n**2 * (n / g + 1) ** 2,
            -n * d * (n / g + 1) * (4 * n / g + 1),
            2 * n * d**2 * (3 * n / g + 2) / g - n**2 * ((b + c) / g + 1),
            n * d * (2 * (b + c) / g + 1) - d**3 * (4 * n / g + 1) / g,
            d**2 * (d**2 / g - (b + c)) / g,
        ]
        roots = np.roots(polynomial)
        found = paired_difference(b, c, n)
        for limit in (found.low, found.high):
            assert np.abs(roots - limit / 100).min() < 1e-5

    @given(PAIRS)
    def test_holds_the_difference_and_turns_with_it(self, case: tuple[int, int, int]) -> None:
        first, second, count = case
        found, other = paired_difference(first, second, count), paired_difference(second, first, count)
        assert -100 <= found.low <= 100 * (first - second) / count + 1e-9
        assert 100 * (first - second) / count - 1e-9 <= found.high <= 100
        assert (found.low, found.high) == (-other.high, -other.low)

    @given(PAIRS)
    def test_agrees_with_mcnemars_test(self, case: tuple[int, int, int]) -> None:
        """Zero lies outside exactly where the statistic without correction exceeds its critical value."""
        first, second, count = case
        assume(first + second)
        statistic = abs(first - second) / math.sqrt(first + second)
        assume(abs(statistic - Z95) > 1e-6)
        found = paired_difference(first, second, count)
        assert (found.low > 0 or found.high < 0) == (statistic > Z95)

    @pytest.mark.parametrize("table", [(0, 0, 0), (-1, 0, 5), (3, 3, 5)])
    def test_refuses_impossible_counts(self, table: tuple[int, int, int]) -> None:
        with pytest.raises(ValueError, match="no paired proportions"):
            paired_difference(*table)


class TestImagesToDecide:
    def test_without_a_flip_by_the_closed_form(self) -> None:
        """With no item that differs the score test's limit is z^2 / (n + z^2)."""
        assert images_to_decide(0, 0, 40, 1) == math.ceil(Z95**2 * 99) == 381

    @given(st.integers(1, 200), st.integers(0, 20), st.integers(0, 20), st.floats(0.1, 20))
    def test_so_many_decide_and_one_less_does_not(self, more: int, lost: int, gained: int, allowed: float) -> None:
        count = lost + gained + more
        items = images_to_decide(lost, gained, count, allowed)
        assume(items is not None)
        assert items is not None

        def decided(times: int) -> bool:
            found = paired_difference(lost * times, gained * times, count * times)
            return not found.low <= allowed < found.high

        assert decided(-(-items // count)) and (items <= count or not decided((items - 1) // count))

    def test_no_number_decides_the_allowed_difference_itself(self) -> None:
        assert images_to_decide(5, 5, 1000, 0) is images_to_decide(10, 0, 1000, 1) is None


def answers(both: int, lost: int, gained: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Right answers of a reference and a candidate."""
    reference = [True] * (both + lost) + [False] * (gained + neither)
    candidate = [True] * both + [False] * lost + [True] * gained + [False] * neither
    return reference, candidate


class TestComparePaired:
    def test_counts(self) -> None:
        found = compare_paired(*answers(both=59, lost=6, gained=16, neither=80), max_drop=1)
        assert (found.images, found.reference_hits, found.candidate_hits) == (161, 65, 75)
        assert (found.right_to_wrong, found.wrong_to_right) == (6, 16)
        assert found.drop == pytest.approx(-6.2112, abs=1e-4)
        assert found.interval == paired_difference(6, 16, 161)
        assert found.p_value == pytest.approx(0.052479, abs=5e-7)
        assert found.verdict is PairedVerdict.WITHIN

    @pytest.mark.parametrize(
        ("table", "verdict"),
        [
            ((760, 0, 0, 240), PairedVerdict.WITHIN),
            ((30, 0, 0, 10), PairedVerdict.UNDECIDED),  # not one flip, but of 40 images
            ((750, 10, 5, 235), PairedVerdict.UNDECIDED),  # 0.5 points, allowed 1
            ((700, 60, 5, 235), PairedVerdict.BEYOND),
            ((7500, 20, 15, 2465), PairedVerdict.WITHIN),
            ((0, 1, 0, 0), PairedVerdict.UNDECIDED),
        ],
    )
    def test_verdict(self, table: tuple[int, int, int, int], verdict: PairedVerdict) -> None:
        assert compare_paired(*answers(*table), max_drop=1).verdict is verdict

    def test_images_needed(self) -> None:
        assert compare_paired(*answers(30, 0, 0, 10), max_drop=1).needed == 381
        assert compare_paired(*answers(381, 0, 0, 0), max_drop=1).verdict is PairedVerdict.WITHIN
        assert compare_paired(*answers(380, 0, 0, 0), max_drop=1).verdict is PairedVerdict.UNDECIDED

    def test_a_drop_near_the_allowed_needs_more_than_were_compared(self) -> None:
        found = compare_paired(*answers(7400, 100, 10, 2490), max_drop=1)
        assert found.verdict is PairedVerdict.UNDECIDED
        assert found.needed is not None and found.needed > found.images
        times = math.ceil(found.needed / 10000)
        more = [100 * times, 10 * times]
        assert compare_paired(*answers(7400 * times, *more, 2490 * times), max_drop=1).verdict is PairedVerdict.WITHIN
        assert compare_paired(*answers(7400, 100, 0, 2500), max_drop=1).needed is None  # the allowed drop, exactly

    def test_nothing_allowed(self) -> None:
        equal = compare_paired(*answers(700, 5, 5, 290), max_drop=0)
        assert (equal.verdict, equal.needed) == (PairedVerdict.UNDECIDED, None)
        assert compare_paired(*answers(700, 0, 20, 280), max_drop=0).verdict is PairedVerdict.WITHIN
        assert compare_paired(*answers(700, 20, 0, 280), max_drop=0).verdict is PairedVerdict.BEYOND

    @settings(max_examples=300)
    @given(PAIRS, st.floats(0.01, 20))
    def test_the_verdict_follows_the_interval_and_more_images_are_asked_for(
        self, case: tuple[int, int, int], max_drop: float
    ) -> None:
        lost, gained, count = case
        found = compare_paired(*answers(0, lost, gained, count - lost - gained), max_drop=max_drop)
        assert found.drop == pytest.approx(100 * (found.reference_hits - found.candidate_hits) / count)
        inside = found.interval.low <= max_drop < found.interval.high
        assert (found.verdict is PairedVerdict.UNDECIDED) == inside
        if inside:
            assert found.needed is None or found.needed > count
            assert found.needed is not None or found.drop == pytest.approx(max_drop)
        else:
            assert (found.verdict is PairedVerdict.WITHIN) == (found.drop <= max_drop)

    @pytest.mark.parametrize(
        ("reference", "candidate", "max_drop"),
        [([], [], 1), ([True], [], 1), ([True], [True], -1), ([True], [True], math.nan), ([True], [True], 101)],
    )
    def test_refuses(self, reference: list[bool], candidate: list[bool], max_drop: float) -> None:
        with pytest.raises(ValueError, match=r"answers|no drop"):
            compare_paired(reference, candidate, max_drop)


def test_a_larger_sample_of_the_same_shares_narrows_the_interval() -> None:
    widths = [(found := paired_difference(2 * k, k, 100 * k)).high - found.low for k in (1, 3, 10, 30, 100)]
    assert all(after < before for before, after in pairwise(widths))
