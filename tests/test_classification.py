"""The classification task: which classes are the best."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from porter.builtin.classification import classify


@given(
    rows=st.integers(0, 4),
    classes=st.integers(1, 12),
    levels=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_the_best_five_are_those_of_a_stable_sort(rows: int, classes: int, levels: int, seed: int) -> None:
    """Of equal scores the lower class comes first, also where the fifth place is shared."""
    scores = np.random.default_rng(seed).integers(0, levels, (rows, classes)).astype(np.float32)
    for row, found in zip(scores, classify(scores), strict=True):
        order = sorted(range(classes), key=lambda place: (-row[place], place))[:5]
        assert found.classes == tuple(order)
        assert found.scores == tuple(float(row[place]) for place in order)
