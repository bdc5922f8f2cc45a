"""auditing: the images and labels themselves, from what is read and decoded anyway, in a few bytes an image."""

from __future__ import annotations

import math
import statistics
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from porter.data.look_alikes import look_alikes
from porter.images.appearance import PRINT_BYTES
from porter.machine.statistics import wilson
from porter.pipeline.evaluation.prediction_changes import Answers
from porter.pipeline.evaluation.shapes import UNREADABLE, Judged, JudgedBatch
from porter.pipeline.job.job import Dataset
from porter.records.audited import DataAudit, Odd, Oddity
from porter.records.evaluation import Evaluation

if TYPE_CHECKING:
    import numpy as np

NAMES = 5
"""Of each oddity."""
DIGEST_BYTES = 32
SURE = 0.25
"""By which the median answer of a trained model leads the next best, at least, be its scores probabilities or logits.
Those of an untrained one hardly differ."""
COMMONEST = 0.5
"""Share of the images that the commonest answer of a model at work is given to, at most."""
FEWEST = 30
"""Images below which nothing is said of labels that look random."""
RANKED = 5
"""Classes of an answer that are looked at, best first."""
CLASSES, MOSTLY_RIGHT = 10, 0.5
"""Classes, and share of right answers, below which nothing is said of single labels: a model that is often wrong is
sure of it as well."""
DOUBTED, DOUBTED_SHARE = 5, 0.02
"""Doubtful labels, and their share of the images beyond chance, from which they are told. A good network
doubts 1 of 500 labels of ImageNet; of random labels it doubts two fifths."""


class Audit:
    """Takes the judged batches of the reference in order; 70 bytes an image are kept."""

    def __init__(self, data: Dataset) -> None:
        self._items, self._spec = data.items, data.job.spec
        self._digests, self._prints, self._ratios = bytearray(), bytearray(), array("f")
        self._unreadable, self._smaller, self._turned = _Kept(), _Kept(), _Kept()
        self._rank, self._absent = data.job.task.ranking, bytearray()
        self.turned = array("q")
        """Places of the images with an EXIF orientation."""

    def take(self, batch: JudgedBatch) -> None:
        """Look at the images of one batch, which follows the last one."""
        for place, image in enumerate(batch.images, batch.start):
            self._take(place, image)

    def finished(self, evaluation: Evaluation, answers: Answers) -> DataAudit:
        """What was found, once the reference's `evaluation` and `answers` are there."""
        distinct, copies, contradicted = self._same_files()
        count, look_alike = len(self._items), [high for _, high in self._look_alikes()]
        odd = [
            self._unreadable.odd(Oddity.UNREADABLE, count),
            _odd(Oddity.CONTRADICTED, contradicted, count, self._name),
            _odd(Oddity.COPIES, copies, count, self._name),
            _odd(Oddity.LOOK_ALIKES, look_alike, count, self._name),
            *self._labels(),
            self._smaller.odd(Oddity.SMALLER, count),
            self._turned.odd(Oddity.TURNED, count),
            *_random(evaluation, answers),
            *self._doubtful(answers),
        ]
        return DataAudit(images=count, distinct=distinct, oddities=tuple(one for one in odd if one.count))

    def _take(self, place: int, image: Judged) -> None:
        look, name = image.look, self._items[place].id
        # Empty files are all alike, and no samples.
        unread = image.status == UNREADABLE or not image.digest
        self._digests += bytes(DIGEST_BYTES) if unread else bytes.fromhex(image.digest)
        part = self._items[place].box is not None  # of one image, of which the others look the same
        print_ = b"" if look is None or part else bytes.fromhex(look.print)
        self._prints += print_ or bytes(PRINT_BYTES)
        self._ratios.append(1.0 if look is None else look.width / look.height)
        ranking = None if image.prediction is None else self._rank(image.prediction)
        first = ranking[: self._depth] if isinstance(ranking, tuple) else (self._items[place].label,)
        self._absent.append(self._items[place].label not in first)
        if image.status == UNREADABLE:
            self._unreadable.add(name)
        if look is None:
            return
        declared = self._spec.preprocess
        height, width = declared.crop if declared is not None and declared.fit == "cover" else (0, 0)
        if self._items[place].box is None and (look.height < height or look.width < width):
            self._smaller.add(name)
        if look.orientation != 1:
            self._turned.add(name)
            self.turned.append(place)

    def _each_digest(self) -> Iterator[bytes]:
        return (bytes(self._digests[at : at + DIGEST_BYTES]) for at in range(0, len(self._digests), DIGEST_BYTES))

    def _same_files(self) -> tuple[int, list[int], list[int]]:
        """Number of different files; places of those that repeat an earlier one of their label; of those that have the
        content of one with another label, that one included."""
        first: dict[bytes, int] = {}
        copies, contradicted = list[int](), set[int]()
        for place, digest in enumerate(self._each_digest()):
            if not any(digest):
                continue
            earlier = first.setdefault(digest, place)
            if earlier == place:
                continue
            if self._items[earlier].label == self._items[place].label or not self._by_class:
                copies.append(place)
            else:
                contradicted |= {earlier, place}
        return len(first), copies, sorted(contradicted)

    @property
    def _by_class(self) -> bool:
        """Whether labels are classes; a mask has a path of its own for each image."""
        return isinstance(self._items[0].label, int)

    def _look_alikes(self) -> Iterator[tuple[int, int]]:
        """Pairs of images that show one picture and are not one file."""
        import numpy as np

        prints: np.ndarray = np.frombuffer(self._prints, np.uint8).reshape(-1, PRINT_BYTES)
        digests: np.ndarray = np.frombuffer(self._digests, np.uint8).reshape(-1, DIGEST_BYTES)
        pairs = look_alikes(prints, np.frombuffer(self._ratios, np.float32))
        return (pair for pair in pairs if not np.array_equal(digests[pair[0]], digests[pair[1]]))

    def _labels(self) -> Iterator[Odd]:
        classes = self._spec.num_classes
        if classes is None or not self._by_class:
            return
        seen = {item.label for item in self._items}
        absent = [index for index in range(classes) if index not in seen]
        yield _odd(Oddity.NO_IMAGES, absent, classes, self._class)
        if len(seen) == 1 and classes > 1 and len(self._items) > 1:
            label = int(self._items[0].label)
            yield Odd(kind=Oddity.ONE_LABEL, count=len(self._items), of=len(self._items), names=(self._class(label),))

    @property
    def _depth(self) -> int:
        """Classes of an answer among which the label's is looked for: no more than half of those there are."""
        return min(RANKED, (self._spec.num_classes or 0) // 2)

    def _doubtful(self, answers: Answers) -> Iterator[Odd]:
        """Labels that look random. Where the model is wrong by itself, it is less sure, or the label's class is next.

        Half of the images with a random label are doubted, those of which the model is surer than of most that it is
        right on, less those whose random class is among its first ones; the estimate makes up for both.
        """
        classes, count = self._spec.num_classes or 0, len(self._items)
        if not self._by_class or classes < CLASSES or any(map(math.isnan, self._margins(answers))):
            return
        labels = [item.label for item in self._items]
        right = [m for a, m, wanted in zip(answers.answers, answers.margins, labels, strict=True) if a == wanted]
        if len(right) < max(FEWEST, MOSTLY_RIGHT * count):
            return
        sure, part = statistics.median(right), 0.5 * (1 - self._depth / classes)
        doubted = [place for place, absent in enumerate(self._absent) if absent and answers.margins[place] >= sure]
        if len(doubted) >= DOUBTED and wilson(len(doubted), count).low / part > 100 * DOUBTED_SHARE:
            estimate = min(count, round(len(doubted) / part))
            names = tuple(self._name(place) for place in doubted[:NAMES])
            yield Odd(kind=Oddity.DOUBTFUL, count=estimate, of=count, names=names)

    @staticmethod
    def _margins(answers: Answers) -> Iterator[float]:
        return (m for answer, m in zip(answers.answers, answers.margins, strict=True) if answer is not None)

    def _name(self, place: int) -> str:
        return self._items[place].id

    def _class(self, index: int) -> str:
        names = self._spec.class_names
        return f"{index} {names[index]}" if index < len(names) else str(index)


class _Kept:
    """A number of images, and the first names."""

    def __init__(self) -> None:
        self._count, self._names = 0, list[str]()

    def add(self, name: str) -> None:
        self._count += 1
        if len(self._names) < NAMES:
            self._names.append(name)

    def odd(self, kind: Oddity, of: int) -> Odd:
        return Odd(kind=kind, count=self._count, of=of, names=tuple(self._names))


def _odd(kind: Oddity, places: Sequence[int], of: int, name: Callable[[int], str]) -> Odd:
    return Odd(kind=kind, count=len(places), of=of, names=tuple(name(place) for place in places[:NAMES]))


def _random(evaluation: Evaluation, answers: Answers) -> Iterator[Odd]:
    """A model that answers as one at work does, and is right no more often than guesses are."""
    given = [
        (answer, margin) for answer, margin in zip(answers.answers, answers.margins, strict=True) if answer is not None
    ]
    if not evaluation.chance or len(given) < FEWEST:
        return
    commonest = Counter(answer for answer, _ in given).most_common(1)[0][1]
    margins = sorted(margin for _, margin in given if margin == margin)  # NaN: the task has none
    sure = len(margins) == len(given) and margins[len(margins) // 2] >= SURE
    if sure and commonest <= COMMONEST * len(given):
        yield Odd(kind=Oddity.RANDOM, count=len(given), of=evaluation.listed, names=())
