"""Ways in which labels go wrong, each as the labels that would be right if it were so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

FARTHEST_ROTATION = 100
"""Lines by which a list of labels may have slipped against its images."""
_EXAMPLES = 3
_BACKGROUND_CLASSES = 1001
_BY_MAP = Message("check how classes were numbered in training; `--class-map` sets the class of each folder")
_BY_ORDER = Message(
    "check how classes were numbered in training; `--class-map` sets the class of each folder or label. "
    "ImageNet's devkit numbers (ILSVRC2012_ID) have another order; its map_clsloc.txt translates them"
)
_BY_NAME = Message("write the image name beside each label, so that the order does not matter")


@dataclass(frozen=True, kw_only=True, eq=False)
class Hypothesis:
    """One fault and the labels as they would be without it."""

    name: str
    title: Message
    remedy: Message
    rows: Integers
    """Places of the images that it is scored on, in order."""
    labels: Integers
    """What the labels of those images would become; -1: no class."""
    tried: int = 1
    """How many hypotheses this one is the best of."""
    examples: tuple[str, ...] = ()


def hypotheses(
    answers: Integers, labels: Integers, num_classes: int, names: Sequence[str], ids: Sequence[str]
) -> Iterator[Hypothesis]:
    """All of them, the most usual first; those that leave every label as it is are passed over."""
    yield from _shift(answers, labels, num_classes)
    yield from _folder_orders(labels, num_classes, names)
    yield from _image_orders(labels, ids)
    yield from _rotation(answers, labels)
    yield from _permutation(answers, labels, num_classes)


def _shift(answers: Integers, labels: Integers, num_classes: int) -> Iterator[Hypothesis]:
    """The constant offset, other than 0, that makes most answers right; labels may have wrapped round."""
    import numpy as np

    if num_classes < 2:
        return
    offsets = np.arange(1 - num_classes, num_classes)
    counts = np.bincount((answers - labels)[answers >= 0] + num_classes - 1, minlength=len(offsets))
    counts[num_classes - 1] = -1  # offset 0: the labels as they are
    offset = int(offsets[np.argmax(counts)])
    background = offset == 1 and labels.max() <= num_classes - 2
    background = background and (num_classes == _BACKGROUND_CLASSES or labels.max() == num_classes - 2)
    size = abs(offset)
    title = (
        Message("every label is {offset} too low", offset=size)
        if offset > 0
        else Message("every label is {offset} too high", offset=size)
    )
    if background:
        title = Message(
            "{shift}: class 0 of the model's {classes} classes is background", shift=title, classes=num_classes
        )
    remedy = Message("use `--label-offset {offset}` (relative to the current offset)", offset=-offset)
    changed = _within(labels + offset, num_classes)
    if _wraps(answers, labels + offset, num_classes):
        title = Message("{shift}, wrapping around at class {last}", shift=title, last=num_classes - 1)
        remedy = Message("regenerate the labels from their source: an offset cannot undo labels that wrap around")
        changed = (labels + offset) % num_classes
    yield Hypothesis(
        name="background" if background else "shift",
        title=title,
        remedy=remedy,
        rows=np.arange(len(labels)),
        labels=changed,
        tried=len(offsets) - 1,
        examples=_examples(labels, changed),
    )


def _wraps(answers: Integers, shifted: Integers, num_classes: int) -> bool:
    """Whether labels that a shift puts outside are right at the other end, nearly as often as the others are.

    Never of two classes, which are each other's neighbour on both sides.
    """
    outside = (shifted < 0) | (shifted >= num_classes)
    if (
        num_classes < 3 or outside.all() or not outside.any()
    ):  # of two classes each is the other's neighbour on both sides
        return False
    right = answers == shifted % num_classes
    return bool(right[outside].mean() >= right[~outside].mean() / 2 > 0)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorting key under which runs of digits count as numbers: 2 before 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part) for part in parts)


_ORDERS: tuple[tuple[Message, Callable[[str], Any]], ...] = (
    (Message("by number (2 before 10)"), _natural),
    (Message("as text (10 before 2)"), lambda name: name),
    (Message("as text, ignoring case"), lambda name: (name.casefold(), name)),
)


def _ranks(names: Sequence[str], key: Callable[[str], Any]) -> Integers:
    """The place of every name once they are sorted by `key`."""
    import numpy as np

    order = sorted(range(len(names)), key=lambda index: key(names[index]))
    ranks = np.empty(len(names), np.int64)
    ranks[order] = np.arange(len(names))
    return ranks


def _folder_orders(labels: Integers, num_classes: int, names: Sequence[str]) -> Iterator[Hypothesis]:
    """Classes numbered along their folders sorted in another way; without names the folders are taken to be numbers."""
    import numpy as np

    tables: list[tuple[Message, Integers]] = []
    if all(name.isascii() and name.isdigit() for name in names if name):
        for first in (0, 1):
            ranks = _ranks([str(first + c) for c in range(num_classes)], lambda name: name)
            last = first + num_classes - 1
            by_model = Message(
                "the model numbers the classes by folder names sorted as text ({first} to {last}; 10 before 2)",
                first=first,
                last=last,
            )
            by_labels = Message(
                "labels number the classes by folder names sorted as text ({first} to {last}; 10 before 2)",
                first=first,
                last=last,
            )
            tables += [(by_model, ranks), (by_labels, np.argsort(ranks))]
    held = [c for c, name in enumerate(names) if name]
    for words, key in _ORDERS if held else ():
        table = np.full(num_classes, -1)
        table[held] = _ranks([names[c] for c in held], key)
        tables.append((Message("the model numbers the classes by folder names sorted {order}", order=words), table))
    seen = {labels.tobytes()}
    for title, table in tables:
        changed = table[labels].astype(np.int64)
        if changed.tobytes() in seen:
            continue
        seen.add(changed.tobytes())
        yield Hypothesis(
            name="folder-order",
            title=title,
            remedy=_BY_MAP,
            rows=np.arange(len(labels)),
            labels=changed,
            examples=_examples(labels, changed),
        )


def _image_orders(labels: Integers, ids: Sequence[str]) -> Iterator[Hypothesis]:
    """Labels and images listed in different orders."""
    import numpy as np

    orders = [(Message("labels are in reverse order of the images"), labels[::-1])]
    for words, key in _ORDERS if ids else ():
        ranks = _ranks(ids, key)
        by_labels = Message("labels are in the order of image names sorted {order}", order=words)
        by_answers = Message("predictions are in the order of image names sorted {order}", order=words)
        orders += [(by_labels, labels[ranks]), (by_answers, _unsorted(labels, ranks))]
    seen = {labels.tobytes()}
    for title, changed in orders:
        if changed.tobytes() not in seen:
            seen.add(changed.tobytes())
            yield Hypothesis(
                name="image-order", title=title, remedy=_BY_NAME, rows=np.arange(len(labels)), labels=changed
            )


def _unsorted(labels: Integers, ranks: Integers) -> Integers:
    import numpy as np

    changed = np.empty_like(labels)
    changed[ranks] = labels
    return changed


def _rotation(answers: Integers, labels: Integers) -> Iterator[Hypothesis]:
    """The number of lines by which the labels have slipped, as a ring, that makes most answers right."""
    import numpy as np

    reach = min(FARTHEST_ROTATION, (len(labels) - 1) // 2)
    slips = [sign * lines for lines in range(1, reach + 1) for sign in (1, -1)]
    if not slips:
        return
    hits = [int((answers == np.roll(labels, -slip)).sum()) for slip in slips]
    slip = slips[int(np.argmax(hits))]
    yield Hypothesis(
        name="rotation",
        title=Message("labels are shifted down by {lines} lines", lines=slip)
        if slip > 0
        else Message("labels are shifted up by {lines} lines", lines=-slip),
        remedy=_BY_NAME,
        rows=np.arange(len(labels)),
        labels=np.roll(labels, -slip),
        tried=len(slips),
    )


def _permutation(answers: Integers, labels: Integers, num_classes: int) -> Iterator[Hypothesis]:
    """Classes numbered in any other order, one to one.

    The order is read off the confusion matrix, largest cell first (the Hungarian method would give the best sum; this
    needs no further package), from every other image of each class. It is scored on the images in between: a mapping
    scored on the images that it was made from would look right even for random answers.
    """
    import numpy as np

    learning = _occurrence(labels) % 2 == 0
    rows = np.flatnonzero(~learning)
    if not len(rows):
        return
    seen = learning & (answers >= 0)
    cells, counts = np.unique(labels[seen] * num_classes + answers[seen], return_counts=True)
    table, taken = np.full(num_classes, -1), np.zeros(num_classes, bool)
    examples: list[str] = []
    for place in np.argsort(-counts, kind="stable"):
        label, answer = divmod(int(cells[place]), num_classes)
        if table[label] >= 0 or taken[answer]:
            continue
        table[label], taken[answer] = answer, True
        if label != answer and len(examples) < _EXAMPLES:
            examples.append(f"{label} → {answer} ({counts[place]} of {int((labels[learning] == label).sum())} images)")
    if examples:
        yield Hypothesis(
            name="permutation",
            title=Message(
                "labels seem to use another numbering of the same classes: images of one label get one "
                "prediction, but a different one (derived from {learned} images, confirmed on {scored} "
                "others)",
                learned=int(learning.sum()),
                scored=len(rows),
            ),
            remedy=_BY_ORDER,
            rows=rows,
            labels=table[labels[rows]].astype(np.int64),
            examples=tuple(examples),
        )


def _occurrence(labels: Integers) -> Integers:
    """How many images before this one have the same label."""
    import numpy as np

    order = np.argsort(labels, kind="stable")
    ordered = labels[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(starts, lengths)
    return places


def _within(labels: Integers, num_classes: int) -> Integers:
    import numpy as np

    return np.where((labels >= 0) & (labels < num_classes), labels, -1)


def _examples(before: Integers, after: Integers) -> tuple[str, ...]:
    pairs = dict.fromkeys((int(a), int(b)) for a, b in zip(before, after, strict=True) if a != b and b >= 0)
    return tuple(f"{a} → {b}" for a, b in list(pairs)[:_EXAMPLES])
