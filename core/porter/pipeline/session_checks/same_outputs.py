"""Whether an explanation makes the outputs of a session: they are the same, and were not before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, taken
from porter.pipeline.session_checks.calls import largest
from porter.pipeline.session_checks.rows_alike import rows_off
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

LEFT = 0.25
"""Share of the error that an explanation may leave: what is left of a smaller one is no proof."""


@dataclass(frozen=True)
class Same:
    """The outputs `got` of a session that are not `wanted`, the reference's, one row an image in both."""

    wanted: Rows
    got: Rows
    tolerance: Tolerance

    def is_so(self, explained: Rows) -> bool:
        """Whether `explained` is what the session gives."""
        return self.is_so_far(explained, len(next(iter(self.got.values()))))

    def is_so_far(self, explained: Rows, rows: int) -> bool:
        """The same of the first rows alone."""
        got, wanted = self.first(self.got, rows), self.first(self.wanted, rows)
        if rows_off(explained, got, self.tolerance).any():
            return False
        left, error = largest(explained, got), largest(wanted, got)
        return left is not None and error is not None and left <= LEFT * error

    @staticmethod
    def first(outputs: Rows, rows: int) -> dict[str, np.ndarray]:
        """The first rows of every output."""
        return taken(outputs, list(range(rows)))
