"""`result.json`: the accuracy as Ascend's scoring script writes it, every value a string."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from porter import BadInput, Metric, ModelSpec, StatedAccuracy, one_line, read_json, wilson
from porter_ascend.figures import NUMBER

NAME = "result.json"
ROUNDED = 0.005
"""Half of the last place of a percentage with two."""
_METRIC = re.compile(r"top([1-9]\d*)")
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


def scores_document(metrics: Sequence[Metric], spec: ModelSpec) -> bytes | None:
    """`result.json` for the accuracies of a classifier, percentages to two places; None for any other."""
    top = {int(found[1]): one for one in metrics if (found := _METRIC.fullmatch(one.name))}
    if not top or len(top) != len(metrics) or spec.num_classes is None:
        return None
    rows = [("Number of images", str(top[min(top)].count)), ("Number of classes", str(spec.num_classes))]
    rows += [(f"Top{k} accuracy", f"{round(top[k].value, 2)}%") for k in sorted(top)]
    values = [{"key": key, "value": value} for key, value in rows]
    return msgspec.json.encode({"title": "Overall statistical evaluation", "value": values}) + b"\n"


def stated(path: Path, scores: Scores) -> StatedAccuracy:
    """The accuracy of a file; the interval of each is that of the number of hits nearest to it."""
    metrics = tuple(
        Metric(
            name=f"top{k}",
            title=f"Top-{k}",
            value=percent,
            count=scores.images,
            interval=wilson(round(percent * scores.images / 100), scores.images),
            in_documents=k in (1, 5),
        )
        for k, percent in scores.top.items()
    )
    return StatedAccuracy(path=path, images=scores.images, metrics=metrics, within=ROUNDED)


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
        raise BadInput(f"{one_line(path)}: not an accuracy file: no `Top1 accuracy`")
    ordered = [top[k] for k in sorted(top)]
    if any(later < earlier for earlier, later in itertools.pairwise(ordered)):
        raise BadInput(f"{one_line(path)}: Top-k accuracy decreases with k, which is impossible")
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
