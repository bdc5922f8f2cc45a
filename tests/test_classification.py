"""The classification task: which classes are the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porter.builtin.classification import class_folders, classify, num_classes
from porter.errors import BadInput
from porter.records.manifest import Item
from porter.records.spec import ModelSpec, PreprocessSpec


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


def test_one_column_is_no_classification() -> None:
    spec = ModelSpec(
        name="sigmoid",
        task="classification",
        inputs=(),
        outputs=(),
        preprocess=PreprocessSpec(resize=8, crop=(8, 8)),
        num_classes=1,
    )
    with pytest.raises(BadInput, match=r"'sigmoid': one column cannot classify several classes: .* two columns"):
        num_classes(spec)


def test_folders_of_classes_are_known_by_folder_or_wordnet_id() -> None:
    assert class_folders([Item("cat/1.jpg", 2), Item("cat/2.jpg", 2), Item("dog/1.jpg", 0)], 3) == ("dog", "", "cat")
    assert class_folders([Item("n01440764_1.JPEG", 1)], 2) == ("", "n01440764")
    assert class_folders([Item("cat/1.jpg", 2), Item("cat/2.jpg", 1)], 3) == ()
    assert class_folders([Item("cat/1.jpg", 2), Item("dog/2.jpg", 2)], 3) == ()
    assert class_folders([Item("1.jpg", 0)], 1) == ()
