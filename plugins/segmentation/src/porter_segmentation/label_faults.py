"""Masks whose ids are others than the model's classes, told by what the model takes each labelled class for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter import LabelFinding, Message, Text, wilson
from porter_segmentation.confusions import Confusions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNIFICANCE = 0.001
LEAST_RIGHT = 0.5
"""Share of all pixels that a fault must explain."""
FARTHEST = 3
"""By how much ids may be shifted."""


@dataclass(frozen=True, eq=False)
class Suspected:
    """One fault, and the class that each labelled one would be."""

    name: str
    title: Text
    remedy: Text
    becomes: NDArray[np.int64]
    """By labelled class; -1: none."""
    rows: NDArray[np.bool_]
    """The images that it is judged on."""
    examples: tuple[str, ...] = ()


def label_faults(confusions: Confusions, count: int) -> tuple[LabelFinding, ...]:
    """The likeliest fault of the masks that explains the predictions; nothing is applied.

    An image is right where most of its pixels are. A fault is reported where, without it, most pixels are right, and
    either twice as many as now or half as many wrong, and so many images become better that chance hardly does that
    (sign test, times the faults that were tried). An order of the classes is learned from every second image and judged
    on the others.
    """
    if not len(confusions):
        return ()
    tried = [*_shifts(count, len(confusions)), *_order(confusions, count)]
    found = [finding for one in tried if (finding := _judged(one, confusions, len(tried))) is not None]
    return tuple(sorted(found, key=lambda one: one.name == "permutation")[:1])


def _shifts(count: int, images: int) -> Iterator[Suspected]:
    import numpy as np

    for shift in (*range(1, FARTHEST + 1), *range(-FARTHEST, 0)):
        becomes = np.arange(count) - shift
        becomes[(becomes < 0) | (becomes >= count)] = -1
        yield Suspected(
            name="shift",
            title=Message("the ids of the masks are {shift} off the model's classes", shift=f"{shift:+d}"),
            remedy=Message("check how classes were numbered in training; `--label-offset {shift}`", shift=shift),
            becomes=becomes,
            rows=np.ones(images, bool),
        )


def _order(confusions: Confusions, count: int) -> Iterator[Suspected]:
    """Each labelled class as the one that the model mostly takes it for in every second image."""
    import numpy as np

    entries = confusions.entries()
    labelled, predicted, pixels, images = entries.labelled, entries.predicted, entries.pixels, entries.images
    learned = (images % 2 == 0) & (predicted < count)
    matrix = np.bincount(labelled[learned] * count + predicted[learned], pixels[learned], count * count)
    becomes, taken = np.full(count, -1), set[int]()
    for place in np.argsort(-matrix, kind="stable"):
        row, column = divmod(int(place), count)
        if matrix[place] and becomes[row] < 0 and column not in taken:
            becomes[row] = column
            taken.add(column)
    moved = [row for row in range(count) if becomes[row] not in (-1, row)]
    if moved and len(confusions) > 1:
        yield Suspected(
            name="permutation",
            title=Message("the ids of the masks stand for the model's classes in another order"),
            remedy=Message("check how classes were numbered in training; `--class-map` says the class of every id"),
            becomes=becomes,
            rows=np.arange(len(confusions)) % 2 == 1,
            examples=tuple(f"{row} → {becomes[row]}" for row in moved[:3]),
        )


def _judged(fault: Suspected, confusions: Confusions, tried: int) -> LabelFinding | None:
    import numpy as np

    entries = confusions.entries()
    labelled, predicted, pixels, images = entries.labelled, entries.predicted, entries.pixels, entries.images
    number = len(confusions)
    total = np.bincount(images, pixels, number)
    now = np.bincount(images, pixels * (labelled == predicted), number)
    then = np.bincount(images, pixels * (fault.becomes[labelled] == predicted), number)
    rows = fault.rows & (total > 0)
    if not rows.any():
        return None
    share, before = then[rows].sum() / total[rows].sum(), now[rows].sum() / total[rows].sum()
    better, worse = int((then > now)[rows].sum()), int((then < now)[rows].sum())
    p_value = min(1.0, tried * _at_least(better, better + worse))
    gains = share >= 2 * before or 2 * (1 - share) <= 1 - before
    if share < LEAST_RIGHT or not gains or p_value > SIGNIFICANCE:
        return None
    hits, images_now = (int((2 * right > total)[rows].sum()) for right in (then, now))
    judged = int(rows.sum())
    return LabelFinding(
        name=fault.name,
        title=fault.title,
        remedy=fault.remedy,
        hits=hits,
        count=judged,
        accuracy=100 * hits / judged,
        interval=wilson(hits, judged),
        hits_now=images_now,
        p_value=p_value,
        examples=fault.examples,
    )


def _at_least(hits: int, count: int) -> float:
    """How often fair coins fall so that there are at least `hits` heads."""
    return sum(math.comb(count, k) for k in range(hits, count + 1)) / 2**count if count else 1.0
