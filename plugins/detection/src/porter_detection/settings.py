"""What the facts of a spec say of its boxes, and what holds where they say nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from porter import ModelSpec, did_you_mean, one_line

Head = Literal["rows", "apart", "yolov8", "yolov5", "text map"]
HEADS = get_args(Head)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How outputs become boxes. A spec overrides each with the fact of the same name, e.g. `{"NMS IoU": "0.65"}`."""

    least_score: float = 0.001
    """`NMS score`: boxes below it are no candidates; low, since mAP reads the whole list."""
    iou: float = 0.7
    """`NMS IoU`: of two boxes of a class that overlap by more, the lesser goes."""
    most: int = 300
    """`Boxes`: boxes of an image at most."""
    head: Head | None = None
    """`Box head`: `rows`, `apart`, `yolov8`, `yolov5` or `text map`; None: told by the outputs' names and shapes."""
    normalised: bool = False
    """`Box unit`: `pixels` of the input, or `share` of its sides."""
    order: str = "xyxy"
    """`Box order`: `xyxy`, `yxyx` or `xywh` (left, top, width, height); of heads with NMS inside, and of `apart`."""
    label_offset: int = 0
    """`First class`: the number that outputs give the first class; torchvision's detectors have 1."""


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _one_of(*names: str) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return chosen


READERS: Mapping[str, tuple[str, Callable[[str], Any], str]] = {
    "NMS score": ("least_score", _share, "a number from 0 to 1"),
    "NMS IoU": ("iou", _share, "a number from 0 to 1"),
    "Boxes": ("most", _count, "a whole number from 1 on"),
    "Box head": ("head", _one_of(*HEADS), f"one of {', '.join(HEADS)}"),
    "Box unit": ("normalised", _one_of("pixels", "share"), "pixels or share"),
    "Box order": ("order", _one_of("xyxy", "yxyx", "xywh"), "xyxy, yxyx or xywh"),
    "First class": ("label_offset", int, "a whole number"),
}
"""Of each fact: the field, what reads it, and what it must be."""


class Unsettled(Exception):
    """A fact that says nothing. The text is one line, and begins with the field of the spec."""


def settings_of(spec: ModelSpec) -> Settings:
    """What the facts of `spec` say. Raises `Unsettled` for one that is none."""
    found: dict[str, Any] = {}
    for name, (field, reader, wanted) in READERS.items():
        if name not in spec.facts:
            continue
        try:
            value = reader(spec.facts[name])
        except ValueError:
            hint = did_you_mean(spec.facts[name], HEADS) if name == "Box head" else ""
            raise Unsettled(f"facts: {name!r} is {one_line(spec.facts[name])!r}, not {wanted}{hint}") from None
        found[field] = value == "share" if name == "Box unit" else value
    settings = replace(Settings(), **found)
    assert math.isfinite(settings.iou)
    return settings
