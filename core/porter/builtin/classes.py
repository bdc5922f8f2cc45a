"""Which classes go wrong, and for which others they are taken: tables for the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from porter.machine.statistics import wilson
from porter.records.evaluation import Table
from porter.records.message import Message

FEWEST_IMAGES = 10
"""A class of fewer images is not ranked: the interval of its accuracy spans more than half of the scale."""
FEWEST_CONFUSIONS = 2
"""A confusion seen once tells of an image, not of two classes."""
ROWS = 10


class ClassTally:
    """Counts answers class by class: a few numbers for each class and each confusion that occurs."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = names
        self._images: Counter[int] = Counter()
        self._hits: Counter[int] = Counter()
        self._taken: Counter[tuple[int, int]] = Counter()

    def add(self, label: int, answer: int | None) -> None:
        """Count one image; one without an answer is wrong, and taken for no class."""
        self._images[label] += 1
        if answer == label:
            self._hits[label] += 1
        elif answer is not None:
            self._taken[label, answer] += 1

    def tables(self) -> tuple[Table, ...]:
        """The worst classes and the commonest confusions; without a table where nothing is to be said."""
        return tuple(table for table in (self._worst(), self._confusions()) if table.rows)

    def _worst(self) -> Table:
        wrong = [one for one, count in self._images.items() if count >= FEWEST_IMAGES and self._hits[one] < count]
        worst = sorted(wrong, key=lambda one: (self._hits[one] / self._images[one], one))[:ROWS]
        rows = []
        for one in worst:
            hits, count = self._hits[one], self._images[one]
            interval = wilson(hits, count)
            rows.append((self._named(one), count, hits, 100 * hits / count, interval.low, interval.high))
        return Table(
            title=Message(
                "Classes with the lowest Top-1, of those with at least {images} images", images=FEWEST_IMAGES
            ),
            columns=(
                Message("class"),
                Message("images"),
                Message("correct"),
                Message("Top-1 (%)"),
                Message("interval, low"),
                Message("interval, high"),
            ),
            rows=tuple(rows),
        )

    def _confusions(self) -> Table:
        often = [(pair, count) for pair, count in self._taken.items() if count >= FEWEST_CONFUSIONS]
        often.sort(key=lambda one: (-one[1], one[0]))
        return Table(
            title=Message("Most frequent confusions, those seen at least {count} times", count=FEWEST_CONFUSIONS),
            columns=(Message("label"), Message("prediction"), Message("images")),
            rows=tuple((self._named(label), self._named(answer), count) for (label, answer), count in often[:ROWS]),
        )

    def _named(self, index: int) -> str:
        return f"{index} {self._names[index]}" if 0 <= index < len(self._names) else str(index)
