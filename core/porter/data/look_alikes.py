"""Images that are nearly the same picture, by their prints: a few arrays of bytes, whatever the number of images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from porter.images.appearance import PRINT_BYTES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MOST_BITS, MOST_SHARE = 30, 0.25
"""Bits of 256 in which two prints of one picture may differ, and their share of those that either has set: thin strokes
on black set few. Of 80,000 pairs of photographs none differs in less than 42 bits, or 0.43 of those set; a JPEG of
quality 20 differs from its original in 27 bits, or 0.23, at most (99%)."""
MOST_COLOUR = 6
"""Grey levels by which their mean colours may differ."""
MOST_STRETCH = 0.05
"""Share by which their ratios of width to height may differ."""
BAND = 2
"""Bytes of a band. Prints that differ in fewer bits than there are bands share one band at least, mostly several."""
NEIGHBOURS = 8
"""Prints that share a band are sorted, and each is compared with so many that follow: what bounds the work."""


def look_alikes(prints: NDArray[np.uint8], ratios: NDArray[np.float32]) -> Iterator[tuple[int, int]]:
    """Pairs of rows, the lower first and in order, each row as the second of one pair at most.

    prints: N×35, see `porter.images.appearance.picture_print`; rows of zeros have none. ratios: N, width over height.
    """
    import numpy as np

    known = np.flatnonzero(prints.any(axis=1))
    first: dict[int, int] = {}
    for start in range(0, PRINT_BYTES - 3, BAND):
        band = prints[known, start].astype(np.uint32) << 8 | prints[known, start + 1]
        # Within a band by the whole print, so that copies stand side by side.
        order = known[np.lexsort((*prints[known].T[start + BAND : start + BAND + 2], band))]
        ordered = np.sort(band)
        for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            shared = ordered[step:] == ordered[:-step]
            one, other = order[:-step][shared], order[step:][shared]
            alike = _alike(prints, ratios, one, other)
            for low, high in zip(np.minimum(one, other)[alike], np.maximum(one, other)[alike], strict=True):
                first[int(high)] = min(int(low), first.get(int(high), int(low)))
    yield from sorted((low, high) for high, low in first.items())


def _alike(
    prints: NDArray[np.uint8], ratios: NDArray[np.float32], one: NDArray[np.intp], other: NDArray[np.intp]
) -> NDArray[np.bool_]:
    import numpy as np

    if not len(one):
        return np.zeros(0, bool)
    bits = np.unpackbits(prints[one, :-3] ^ prints[other, :-3], axis=1).sum(axis=1)
    either = np.unpackbits(prints[one, :-3] | prints[other, :-3], axis=1).sum(axis=1)
    colours = np.abs(prints[one, -3:].astype(np.int16) - prints[other, -3:]).max(axis=1)
    stretch = np.abs(np.log(ratios[one] / ratios[other]))
    alike: NDArray[np.bool_] = (
        (bits <= np.minimum(MOST_BITS, MOST_SHARE * either)) & (colours <= MOST_COLOUR) & (stretch <= MOST_STRETCH)
    )
    return alike
