"""Which images are scored and which are kept apart for calibration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porter.data.selection import KEPT_SHARE, evenly_spaced, select
from porter.errors import BadInput


@given(found=st.integers(1, 2000), limit=st.none() | st.integers(1, 2500), wanted=st.integers(0, 400))
def test_no_image_is_both(found: int, limit: int | None, wanted: int) -> None:
    if wanted and found < KEPT_SHARE:
        with pytest.raises(BadInput, match="too few to reserve some for calibration"):
            select(found, limit, wanted)
        return
    selection = select(found, limit, wanted)
    scored, kept = set(selection.scored), set(selection.kept_apart)
    assert not scored & kept and scored | kept <= set(range(found))
    assert len(kept) == len(selection.kept_apart) == min(wanted, found // KEPT_SHARE)
    assert len(scored) == min(found - len(kept), found if limit is None else limit)
    assert list(selection.scored) == sorted(scored) and list(selection.kept_apart) == sorted(kept)
    assert str(len(kept)) in str(selection.words) or not kept


@given(found=st.integers(10, 2000), wanted=st.integers(1, 400))
def test_a_limit_that_leaves_enough_scores_the_same_images(found: int, wanted: int) -> None:
    limit = found // 2
    assert select(found, limit, wanted).scored == tuple(evenly_spaced(found, limit))


def test_nothing_is_kept_apart_unless_asked() -> None:
    assert select(10).scored == tuple(range(10)) and select(10).kept_apart == ()
    assert str(select(10).words) == "all" and select(0).scored == ()
    with pytest.raises(BadInput, match="--limit 0"):
        select(10, 0)
