"""What all tests share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from porter.images import opencv, resample
from porter.machine.host import let_threads_sleep

let_threads_sleep()  # before any test imports PyTorch: as in a run


@pytest.fixture
def without_opencv() -> Iterator[None]:
    """A process in which OpenCV cannot be imported, and nothing has asked for it yet."""
    asked = (opencv.unusable, resample.unusable)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cv2", None)
        for answer in asked:
            answer.cache_clear()
        yield
    for answer in asked:
        answer.cache_clear()
