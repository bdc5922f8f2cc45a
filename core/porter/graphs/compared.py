"""The errors of every compared tensor, gathered group by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter.errors import one_line
from porter.graphs.measure import ErrorMeter
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

NOTED = 3
"""Names given in a note."""


class Compared:
    """Meters by the reference's tensor names, in the order of the walk."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self.own: dict[str, ErrorMeter] = {}
        """Of the whole candidate up to the tensor."""
        self.alone: dict[str, ErrorMeter] = {}
        """Of the candidate's last nodes, given the reference's tensors; only where that could be run."""
        self.outputs: list[dict[str, np.ndarray]] = []
        """The reference's final outputs for each feed."""
        self.groups = 0
        self._passed_over: list[str] = []

    def add(
        self, name: str, reference: np.ndarray | None, own: np.ndarray | str, alone: np.ndarray | str | None
    ) -> None:
        """One feed of one tensor; a text says why there is no array. A reference that is no tensor is passed over."""
        if reference is None:
            self._passed_over.append(name)
            return
        self._meter(self.own, name, reference, own)
        if alone is not None:
            self._meter(self.alone, name, reference, alone)

    def notes(self) -> list[str]:
        """What the reader should know of the comparison itself."""
        notes = []
        if self._passed_over:
            names = list(dict.fromkeys(self._passed_over))
            notes.append(f"{len(names)} values are not tensors and were not compared: {_first(names)}")
        nan = self.nan()
        if nan:
            notes.append(f"the reference itself has NaN in {len(nan)} tensors, first in {nan[0]}")
        return notes

    def nan(self) -> list[str]:
        """The tensors in which the reference itself has NaN, in the order of the walk."""
        return [one_line(name) for name, meter in self.own.items() if meter.reference_nan]

    def _meter(self, meters: dict[str, ErrorMeter], name: str, reference: np.ndarray, got: np.ndarray | str) -> None:
        if name not in meters:
            meters[name] = ErrorMeter(self._tolerance)
        if isinstance(got, str):
            meters[name].fail(got)
        else:
            meters[name].add(reference, got)


def _first(names: list[str]) -> str:
    return ", ".join(map(one_line, names[:NOTED])) + (", …" if len(names) > NOTED else "")
