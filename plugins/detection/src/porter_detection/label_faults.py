"""Faults of labels that would explain the boxes found: their classes one off, their numbers taken for others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from porter import LabelFinding, Message, wilson
from porter_detection.boxes import Detected, paired
from porter_detection.scorer import IOU_OF_SCORE, labels_as_boxes
from porter_detection.truth import Labelled, Truth

SIGNIFICANCE = 0.001
LEAST_SHARE = 0.25
"""Share of the labelled boxes that must be found without the fault."""
OF_THE_PLACED = 0.8
"""Share of the boxes whose place is right that must have the right class without the fault: two pairs of exchanged
classes are half right under either shift, and no shift."""

Change = Callable[[Labelled, Truth], Labelled]


@dataclass(frozen=True)
class _Fault:
    name: str
    title: Message
    remedy: Message
    change: Change


def explained(found: Sequence[Detected], truths: Sequence[Truth], classes: int) -> tuple[LabelFinding, ...]:
    """The faults without which far more labelled boxes are found at IoU 0.5 with their class, the best first.

    Each is held against chance: the boxes of one image laid over the corrected labels of the next.
    """
    count = sum(not one.crowd for truth in truths for one in truth.boxes)
    if not count:
        return ()
    now = _hits(found, truths)
    tried, findings = list(_faults(classes)), []
    for fault in tried:
        corrected = [replace(truth, boxes=tuple(fault.change(one, truth) for one in truth.boxes)) for truth in truths]
        hits = _hits(found, corrected)
        placed = _hits([_of_one_class(one) for one in found], [_of_one_kind(truth) for truth in corrected])
        if hits < max(LEAST_SHARE * count, OF_THE_PLACED * placed) or not (
            hits >= 2 * now or 2 * (count - hits) <= count - now
        ):
            continue
        by_chance = max(_hits([*found[1:], *found[:1]], corrected), 1) / count
        p_value = min(1.0, len(tried) * _tail(hits, count, by_chance))
        interval = wilson(hits, count)
        if p_value > SIGNIFICANCE or interval.low <= wilson(now, count).high:
            continue
        findings.append(
            LabelFinding(
                name=fault.name,
                title=fault.title,
                remedy=fault.remedy,
                hits=hits,
                count=count,
                accuracy=100 * hits / count,
                interval=interval,
                hits_now=now,
                p_value=p_value,
            )
        )
    return tuple(sorted(findings, key=lambda finding: -finding.accuracy))


def _hits(found: Sequence[Detected], truths: Sequence[Truth]) -> int:
    return sum(len(paired(labels_as_boxes(truth), one, IOU_OF_SCORE)) for one, truth in zip(found, truths, strict=True))


def _of_one_class(one: Detected) -> Detected:
    return replace(one, classes=(0,) * len(one.classes))


def _of_one_kind(truth: Truth) -> Truth:
    return replace(truth, boxes=tuple(replace(one, kind=0) for one in truth.boxes))


def _tail(hits: int, count: int, chance: float) -> float:
    """An upper bound of the binomial tail: Hoeffding, JASA 58 (1963), theorem 1."""
    share = hits / count
    if share <= chance or chance >= 1:
        return 1.0
    apart = share * math.log(share / chance)
    if share < 1:
        apart += (1 - share) * math.log((1 - share) / (1 - chance))
    return math.exp(-count * apart)


def _faults(classes: int) -> Iterator[_Fault]:
    if classes > 1:
        for step in (-1, 1):
            yield _Fault(
                "shift",
                Message("the classes of the labels are off by {step}", step=-step),
                Message("subtract {step} from the classes: `--label-offset {step}`, or a class map", step=-step),
                lambda one, _, step=step: replace(one, kind=one.kind + step),  # type: ignore[misc]
            )
    yield _Fault(
        "corners",
        Message("boxes of the labels are left, top, right, bottom, and were read as left, top, width, height"),
        Message("write `bbox` as left, top, width, height"),
        lambda one, _: _with(one, (one.box[0], one.box[1], one.box[2] - one.box[0], one.box[3] - one.box[1])),
    )
    yield _Fault(
        "centres",
        Message("boxes of the labels begin with their centre, and were read as left, top, width, height"),
        Message("write `bbox` as left, top, width, height"),
        lambda one, _: _with(one, (one.box[0] - one.box[2] / 2, one.box[1] - one.box[3] / 2, *one.box[2:])),
    )
    yield _Fault(
        "shares",
        Message("boxes of the labels are shares of the image's sides, and were read as pixels"),
        Message("multiply the boxes by the width and height of their image"),
        lambda one, truth: _with(one, _scaled(one.box, truth.size)),
    )
    yield _Fault(
        "axes",
        Message("x and y of the labels are exchanged"),
        Message("write `bbox` as left, top, width, height"),
        lambda one, _: _with(one, (one.box[1], one.box[0], one.box[3], one.box[2])),
    )


def _with(one: Labelled, box: tuple[float, float, float, float]) -> Labelled:
    return replace(one, box=(box[0], box[1], max(0.0, box[2]), max(0.0, box[3])))


def _scaled(box: tuple[float, float, float, float], size: tuple[float, float]) -> tuple[float, float, float, float]:
    return box[0] * size[0], box[1] * size[1], box[2] * size[0], box[3] * size[1]
