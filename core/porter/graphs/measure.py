"""The error between two tensors, gathered over feeds, in a bounded piece of memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from porter.records.diagnosis import TensorError
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

CHUNK = 1 << 18
"""Elements compared at a time: 2 MB of float64 for each of the arrays involved."""


class ErrorMeter:
    """Gathers the error of one tensor. Sums are float64; the bound is on the whole tensor, as in `verify`."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self._max_error = 0.0
        self._relative: float | None = 0.0
        self._signal = self._noise = self._other = self._product = 0.0
        self._exceeds = False
        self._problem = ""
        self.reference_nan = False
        """Whether the reference itself held a NaN."""

    def add(self, reference: np.ndarray, candidate: np.ndarray) -> None:
        """One feed's pair. Equal positions of NaN and of equal infinities count as equal."""
        if reference.shape != candidate.shape:
            self.fail(f"shape {_shape(candidate)}, the reference has {_shape(reference)}")
            return
        if reference.dtype.kind not in "biuf" or candidate.dtype.kind not in "biuf":
            self.fail(f"values of type {candidate.dtype}, the reference has {reference.dtype}: not comparable")
            return
        a, b = reference.reshape(-1), candidate.reshape(-1)
        worst = scale = 0.0
        odd = 0
        for start in range(0, len(a), CHUNK):
            part = _Part(a[start : start + CHUNK], b[start : start + CHUNK])
            worst, scale, odd = max(worst, part.worst), max(scale, part.scale), odd + part.odd
            self.reference_nan |= part.reference_nan
            self._signal += part.signal
            self._noise += part.noise
            self._other += part.other
            self._product += part.product
        if odd:
            self.fail(f"{odd} of {len(a)} values are NaN or infinite on one side only")
            return
        self._max_error = max(self._max_error, worst)
        if worst:
            self._relative = max(self._relative, worst / scale) if scale and self._relative is not None else None
        self._exceeds |= worst > self._tolerance.atol + self._tolerance.rtol * scale

    def fail(self, problem: str) -> None:
        """The tensor cannot be compared: it counts as beyond the tolerance."""
        self._problem = self._problem or problem
        self._exceeds = True

    def result(self) -> TensorError:
        """The error over everything added so far."""
        if self._problem:
            return TensorError(
                max_abs_error=None,
                relative_error=None,
                sqnr_db=None,
                cosine=None,
                exceeds=True,
                problem=self._problem,
            )
        sizes = math.sqrt(self._signal) * math.sqrt(self._other)
        ratio = self._signal / self._noise if self._noise else 0.0
        return TensorError(
            max_abs_error=self._max_error,
            relative_error=self._relative,
            sqnr_db=10 * math.log10(ratio) if 0.0 < ratio < math.inf else None,
            cosine=max(-1.0, min(1.0, self._product / sizes)) if 0.0 < sizes < math.inf else None,
            exceeds=self._exceeds,
        )


class _Part:
    """Sums over one chunk."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        import numpy as np

        a, b = a.astype(np.float64), b.astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(b)
        self.odd, self.reference_nan = 0, False
        if not finite.all():
            self.reference_nan = bool(np.isnan(a).any())
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            self.odd = int((~finite & ~same).sum())
            a, b = a[finite], b[finite]
        self.scale = float(np.abs(a).max(initial=0.0))
        self.signal = float(a @ a)
        difference = b - a
        self.worst = float(np.abs(difference).max(initial=0.0))
        if not self.worst:
            self.noise, self.other, self.product = 0.0, self.signal, self.signal
            return
        self.noise = float(difference @ difference)
        self.other, self.product = float(b @ b), float(a @ b)


def _shape(array: np.ndarray) -> str:
    return "×".join(map(str, array.shape)) or "a scalar"
