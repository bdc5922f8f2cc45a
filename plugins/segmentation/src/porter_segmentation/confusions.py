"""Confusion matrices of single images, kept sparse: an image has few of the pairs of classes that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Pixels by class; each float64 C."""

    both: NDArray[np.float64]
    """Labelled and predicted as the class."""
    labelled: NDArray[np.float64]
    predicted: NDArray[np.float64]

    def iou(self) -> NDArray[np.float64]:
        """Of each class, 0..1; NaN where it is neither labelled nor predicted."""
        import numpy as np

        union = self.labelled + self.predicted - self.both
        found: NDArray[np.float64] = np.divide(self.both, union, out=np.full(len(union), np.nan), where=union > 0)
        return found

    def accuracy(self) -> NDArray[np.float64]:
        """Share of each class's labelled pixels that are right, 0..1; NaN where it has none."""
        import numpy as np

        found: NDArray[np.float64] = np.divide(
            self.both, self.labelled, out=np.full(len(self.both), np.nan), where=self.labelled > 0
        )
        return found

    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that are there, 0..1.

        Source: Everingham et al., "The Pascal visual object classes challenge: a retrospective", IJCV 111 (2015).
        """
        return mean_of(self.iou())

    def mean_accuracy(self) -> float:
        """Mean of `accuracy` over the classes that are labelled, 0..1."""
        return mean_of(self.accuracy())

    def pixel_accuracy(self) -> float:
        """Share of the labelled pixels that are right, 0..1."""
        total = float(self.labelled.sum())
        return float(self.both.sum()) / total if total else 0.0


def mean_of(figures: NDArray[np.float64]) -> float:
    """Mean of those that are no NaN; 0 without any."""
    import numpy as np

    known = figures[~np.isnan(figures)]
    return float(known.mean()) if len(known) else 0.0


@dataclass(frozen=True, eq=False)
class Entries:
    """Every pair of classes that occurs in an image; one array of each."""

    labelled: NDArray[np.int64]
    predicted: NDArray[np.int64]
    """The number of classes: a pixel without a prediction, since its image has no answer."""
    pixels: NDArray[np.float64]
    images: NDArray[np.int64]
    """The place of the image."""


class Confusions:
    """The pairs of labelled and predicted class of every image, with their pixels, in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pairs: list[NDArray[np.int32]] = []
        self._pixels: list[NDArray[np.int64]] = []
        self._entries: Entries | None = None

    def __len__(self) -> int:
        return len(self._pairs)

    def add(self, labelled: NDArray[np.int32], predicted: NDArray[np.int32]) -> Overlaps:
        """Count one image: two classes for each of its pixels that count."""
        import numpy as np

        width = self._count + 1
        dense = np.bincount(labelled * width + predicted, minlength=self._count * width)
        pairs = np.flatnonzero(dense)
        self._pairs.append(pairs.astype(np.int32))
        self._pixels.append(dense[pairs])
        self._entries = None
        return _overlaps(*np.divmod(pairs, width), dense[pairs].astype(np.float64), self._count)

    def overlaps(self, weights: NDArray[np.int64] | None = None) -> Overlaps:
        """Of all images together, each as often as `weights` says."""
        one = self.entries()
        pixels = one.pixels if weights is None else one.pixels * weights[one.images]
        return _overlaps(one.labelled, one.predicted, pixels, self._count)

    def matrix(self) -> NDArray[np.float64]:
        """Pixels by labelled (rows) and predicted class, C×C."""
        one, width = self.entries(), self._count + 1
        whole = _sums(one.labelled * width + one.predicted, one.pixels, self._count * width)
        return whole.reshape(self._count, width)[:, : self._count]

    def entries(self) -> Entries:
        """All of it, joined once: it is asked for as often as there are resamples."""
        import numpy as np

        if self._entries is None:
            labelled, predicted = np.divmod(np.concatenate([*self._pairs, np.zeros(0, np.int32)]), self._count + 1)
            self._entries = Entries(
                labelled=labelled.astype(np.int64),
                predicted=predicted.astype(np.int64),
                pixels=np.concatenate([*self._pixels, np.zeros(0, np.int64)]).astype(np.float64),
                images=np.repeat(np.arange(len(self._pairs)), [len(one) for one in self._pairs]),
            )
        return self._entries


def _overlaps(
    labelled: NDArray[np.int64], predicted: NDArray[np.int64], pixels: NDArray[np.float64], count: int
) -> Overlaps:
    return Overlaps(
        both=_sums(labelled, pixels * (labelled == predicted), count),
        labelled=_sums(labelled, pixels, count),
        predicted=_sums(predicted, pixels, count + 1)[:count],
    )


def _sums(places: NDArray[np.int64], values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    import numpy as np

    found: Any = np.bincount(places, values, length)
    return found.astype(np.float64)  # type: ignore[no-any-return]
