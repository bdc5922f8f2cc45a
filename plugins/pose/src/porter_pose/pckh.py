"""PCKh: the share of joints that lie within a part of the head's size, as MPII's evaluation counts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from porter import Item, Message, Metric, Scorer, Table
from porter_pose.mpii_files import Mpii
from porter_pose.person import Posed

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH, CLOSE = 0.5, 0.1
"""Parts of the head's size."""
LEFT_OUT = (6, 7)
"""Pelvis and thorax, which the mean leaves out (`lib/dataset/mpii.py`, `evaluate`)."""
MPII_JOINTS = 16


class PckhScorer(Scorer):
    """Keeps which joints of each person are seen and near."""

    def __init__(self, joints: int, names: tuple[str, ...]) -> None:
        self._names = names
        self._counted = np.array([joints != MPII_JOINTS or one not in LEFT_OUT for one in range(joints)])
        self._seen: list[NDArray[np.bool_]] = []
        self._off: list[NDArray[np.float64]] = []
        """Distances in parts of the head's size; infinite without an answer."""

    def add(self, item: Item, prediction: Posed | None) -> float:
        """The share of this person's joints that are near."""
        label = msgspec.json.decode(str(item.label), type=Mpii)
        seen = np.array(label.seen)
        if prediction is None:
            off = np.full(len(seen), np.inf)
        else:  # MPII's numbers begin at 1
            off = np.linalg.norm(np.array(prediction.joints) + 1.0 - np.array(label.joints), axis=1) / label.head
        self._seen.append(seen)
        self._off.append(off)
        near = (off <= REACH) & seen & self._counted
        count = int((seen & self._counted).sum())
        return float(near.sum() / count) if count else 0.0

    def metrics(self) -> tuple[Metric, ...]:
        if not self._off:
            return ()
        ones, count = np.ones(len(self._off), np.int64), len(self._off)
        return (
            Metric(name="pckh", title="PCKh@0.5", value=self._share(ones, REACH), count=count),
            Metric(name="pckh_01", title="PCKh@0.1", value=self._share(ones, CLOSE), count=count),
        )

    def resampled(self, weights: NDArray[np.int64]) -> float:
        return self._share(np.asarray(weights, np.int64), REACH)

    def tables(self) -> tuple[Table, ...]:
        """PCKh@0.5 of each joint."""
        if not self._off:
            return ()
        seen, near = self._counts(np.ones(len(self._off), np.int64), REACH)
        rows = tuple(
            (self._names[n] if n < len(self._names) else str(n), int(seen[n]), 100 * float(near[n] / seen[n]))
            for n in range(len(seen))
            if seen[n]
        )
        columns = (Message("joint"), Message("labelled"), "PCKh@0.5 %")
        return (Table(title=Message("Joints"), columns=columns, rows=rows),)

    def _share(self, weights: NDArray[np.int64], reach: float) -> float:
        """Percent of all joints that are seen, weighted by how often each is."""
        seen, near = self._counts(weights, reach)
        total = int(seen[self._counted].sum())
        return 100 * float(near[self._counted].sum()) / total if total else 0.0

    def _counts(self, weights: NDArray[np.int64], reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        seen = np.stack(self._seen)
        near = (np.stack(self._off) <= reach) & seen
        return weights @ seen.astype(np.int64), weights @ near.astype(np.int64)
