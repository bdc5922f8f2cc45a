"""What a request says where its options leave it open."""

from __future__ import annotations

import pytest

from porter.records.request import RunRequest


@pytest.mark.parametrize(
    ("sizes", "batch"),
    [
        ((1, 4, 8, 16, 32), 8),
        ((1, 16), 16),
        ((4, 16), 4),
        ((1, 2, 5), 5),
        ((1, 32), 1),
        ((64, 32), 32),
        ((12,), 12),
    ],
)
def test_an_evaluation_takes_the_batch_size_nearest_to_eight(sizes: tuple[int, ...], batch: int) -> None:
    assert RunRequest(model="tiny", batch_sizes=sizes).evaluation_batch == batch
    assert RunRequest(model="tiny", batch_sizes=sizes, batch=3).evaluation_batch == 3
