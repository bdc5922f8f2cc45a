"""`result.json`: the accuracy as Ascend's scoring script writes it, every value a string."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from porter.ascend.figures import NUMBER
from porter.errors import BadInput, one_line
from porter.files.textfile import read_json

_TOP = re.compile(r"Top(\d{1,4}) accuracy")
_PERCENT = re.compile(rf"({NUMBER})\s*%")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The accuracy of one evaluation."""

    images: int
    """Number of images that it divides by."""
    classes: int | None
    """Number of classes."""
    top: dict[int, float]
    """k: share of the images whose label is among the best k, in percent, rounded to two places."""


class _Entry(msgspec.Struct):
    key: str
    value: str


class _Document(msgspec.Struct):
    value: list[_Entry]


def read_scores(path: Path) -> Scores:
    """Read `result.json`. Raises `BadInput`, naming file and key, for anything that is not one."""
    document = read_json(path, "accuracy file", _Document)
    values = {entry.key: entry.value for entry in document.value}
    top = {int(found[1]): _percent(text, key, path) for key, text in values.items() if (found := _TOP.fullmatch(key))}
    if 1 not in top:
        raise BadInput(f"{one_line(path)}: no accuracy file: no `Top1 accuracy`")
    ordered = [top[k] for k in sorted(top)]
    if any(later < earlier for earlier, later in itertools.pairwise(ordered)):
        raise BadInput(f"{one_line(path)}: the accuracies fall as k grows, which they cannot")
    images = _count(values.get("Number of images", ""), "Number of images", path)
    classes = values.get("Number of classes")
    return Scores(
        images=images,
        classes=None if classes is None else _count(classes, "Number of classes", path),
        top={k: top[k] for k in sorted(top)},
    )


def _percent(text: str, key: str, path: Path) -> float:
    found = _PERCENT.fullmatch(text.strip())
    value = float(found[1]) if found else -1.0
    if not 0 <= value <= 100:
        raise BadInput(f"{one_line(path)}: {key} is {one_line(text[:40])!r}, not a percentage")
    return value


def _count(text: str, key: str, path: Path) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text.strip()):
        raise BadInput(f"{one_line(path)}: {key} is {one_line(text[:40])!r}, not a count")
    return int(text)
