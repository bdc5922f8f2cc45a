"""Class indices as people write them: whole numbers, counted from 0 or from 1."""

from __future__ import annotations

import re
from collections.abc import Collection

from porter.records.message import Message

_WHOLE = re.compile(r"([+-]?[0-9]{1,18})(?:\.0{1,9})?", re.ASCII)
_FEW = 5
"""Fewer distinct labels than this say nothing about how classes are counted."""


def parse_index(text: str) -> int | None:
    """The whole number that `text` spells in ASCII digits, or None: `3.0` is one, as in tables, `1_000` is not."""
    found = _WHOLE.fullmatch(text)
    return int(found.group(1)) if found else None


def range_problem(label: int, num_classes: int, offset: int, labels: Collection[int]) -> str:
    """Why `label`, as written, is no class of the model once `offset` is subtracted; "" where it is one.

    `labels` are all labels as written: where they look like 1..C the text names the option that mends it.
    """
    index = label - offset
    if 0 <= index < num_classes:
        return ""
    written = f"label {label}" if offset == 0 else f"label {label} minus the offset {offset} gives {index}, which"
    way_out = (
        f"; labels run from 1 to {num_classes}. Use --label-offset 1"
        if _is_one_based(labels, num_classes, offset)
        else ""
    )
    return f"{written} is outside 0..{num_classes - 1}{way_out}"


def _is_one_based(labels: Collection[int], num_classes: int, offset: int) -> bool:
    return offset == 0 and min(labels) >= 1 and max(labels) == num_classes


def numbering_warning(indices: Collection[int], num_classes: int) -> Message | None:
    """A doubt about where class indices, all of them within 0..C-1, are counted from; None where there is none.

    It is for labels without an offset: who gives one has decided.

    Two signs, both only where at least five classes occur without a gap: 1..N with no 0 at all, and 0..C-2 for a model
    of C classes, the first of which may be a background class (1001 outputs for ImageNet's 1000 classes).
    """
    distinct = set(indices)
    if len(distinct) < _FEW or max(distinct) - min(distinct) + 1 != len(distinct):
        return None
    if min(distinct) == 1:
        return Message(
            "classes run from 1 to {last} without a gap and none is 0. If labels start at 1, use `--label-offset 1`",
            last=max(distinct),
        )
    if min(distinct) == 0 and max(distinct) == num_classes - 2:
        return Message(
            "the labels have {labelled} classes, the model {classes}. If class 0 of the model is "
            "background, use `--label-offset -1`",
            labelled=len(distinct),
            classes=num_classes,
        )
    return None
