"""The boxes that an image is labelled with, as the text that an item of the manifest carries.

    640x480; 3 10 20 30.5 40 915; 7 0 0 640 200 51200 crowd

Width and height of the image; then of each box the class, left, top, width, height and area in pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Labelled:
    """One labelled box."""

    kind: int
    """Class index of the model."""
    box: tuple[float, float, float, float]
    """Left, top, width, height in pixels."""
    area: float
    """Pixels of the object, which say how large it counts; a mask's may be less than the box."""
    crowd: bool = False
    """Whether it is many objects in one: what is found there is neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What one image is labelled with."""

    size: tuple[float, float]
    """Width and height in pixels."""
    boxes: tuple[Labelled, ...]


def written(truth: Truth) -> str:
    """The text; `read` gives the same again, to the last bit."""
    parts = ["x".join(map(_number, truth.size))]
    for one in truth.boxes:
        numbers = " ".join(map(_number, (one.kind, *one.box, one.area)))
        parts.append(f"{numbers} crowd" if one.crowd else numbers)
    return "; ".join(parts)


def read(text: str) -> Truth:
    """The boxes of such a text."""
    size, *lines = text.split("; ")
    width, height = map(float, size.split("x"))
    boxes = []
    for line in lines:
        kind, left, top, wide, high, area, *crowd = line.split(" ")
        box = float(left), float(top), float(wide), float(high)
        boxes.append(Labelled(int(kind), box, float(area), bool(crowd)))
    return Truth((width, height), tuple(boxes))


def counted(classes: Iterable[int], names: Sequence[str] = ()) -> str:
    """How many boxes there are of each class, in a few words."""
    counts = Counter(classes)
    if not counts:
        return "no boxes"
    return ", ".join(f"{counts[k]} × {names[k] if k < len(names) else f'class {k}'}" for k in sorted(counts))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))
