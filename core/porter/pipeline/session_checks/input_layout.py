"""layout: an input that is read in another order of its axes than it was given in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from porter.pipeline.session_checks.check_names import LAYOUT, finding
from porter.pipeline.session_checks.rows_alike import Rows, Run, rows_off
from porter.records.message import Message
from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np


def layout_findings(reference: Run, image: np.ndarray, got: Rows, tolerance: Tolerance) -> Iterator[SessionFinding]:
    """Whether outputs that are wrong are those of the image in another layout, by the reference.

    `image` is float32 1×C×H×W, `got` what the session gave for it. To be asked only where `got` is wrong: each layout
    costs a call of the reference.
    """
    for title, other in _others(image):
        if not rows_off(reference(other), got, tolerance).any():
            yield finding(LAYOUT, title)
            return


def _others(image: np.ndarray) -> Iterator[tuple[Message, np.ndarray]]:
    import numpy as np

    count, channels, height, width = image.shape
    as_fed = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).reshape(image.shape)
    yield Message("the bytes of N×H×W×C are fed as N×C×H×W"), as_fed
    as_read = np.ascontiguousarray(image.reshape(count, height, width, channels).transpose(0, 3, 1, 2))
    yield Message("the bytes of N×C×H×W are read as N×H×W×C"), as_read
    if height == width:
        yield Message("height and width swapped in the input"), np.ascontiguousarray(image.transpose(0, 1, 3, 2))
