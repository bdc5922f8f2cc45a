"""What rows that are wrong have in common: which of the usual faults of a session they look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, taken, whole
from porter.pipeline.session_checks.check_names import (
    BATCH_BEFORE,
    LAST_ROW,
    NAN_ROWS,
    OUTPUTS,
    REPEATED,
    SHUFFLED,
    SWALLOWED,
    finding,
)
from porter.pipeline.session_checks.rows_alike import rows_off, same_shapes
from porter.records.message import Message
from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    import numpy as np


def named(wanted: Rows, got: Rows, off: np.ndarray, tolerance: Tolerance, before: Rows | None = None) -> SessionFinding:
    """Name the fault of the rows `off` (bool N) of one call; `before` are the outputs of the call before it.

    `OUTPUTS` where they look like none of the usual faults.
    """
    import numpy as np

    rows, wrong = len(off), [int(row) for row in np.flatnonzero(off)]
    figures = {"wrong": len(wrong), "rows": rows}
    detail = Message("{wrong} of {rows} samples", **figures)
    if not same_shapes(wanted, got):
        return finding(OUTPUTS, Message("an output is missing or has another shape"))
    if _not_finite(wanted, got, wrong):
        return finding(NAN_ROWS, detail)
    if rows > 2 and wrong == [rows - 1]:
        return finding(LAST_ROW, Message("only sample {row} of {rows}", row=rows, rows=rows))
    if _constant(wanted, got, wrong):
        return finding(SWALLOWED, Message("{wrong} of {rows} samples contain a single value", **figures))
    if before is not None and _all_among(got, before, wrong, tolerance):
        return finding(BATCH_BEFORE, detail)
    if rows > 1 and wrong == [rows - 1]:
        return finding(LAST_ROW, Message("only sample {row} of {rows}", row=rows, rows=rows))
    right = [row for row in range(rows) if not off[row]]
    if len(wrong) > 1 and right and _all_among(got, taken(wanted, right), wrong, tolerance):
        return finding(REPEATED, Message("{wrong} of {rows} samples", **figures))
    if len(wrong) > 1 and _all_among(got, wanted, wrong, tolerance):
        return finding(
            SHUFFLED, Message("{wrong} of {rows} samples have the outputs of other images in the batch", **figures)
        )
    return finding(OUTPUTS, detail)


def _not_finite(wanted: Rows, got: Rows, wrong: list[int]) -> bool:
    """Whether one of the wrong rows has values that are not finite where all that is wanted is."""

    return any(whole(values[wrong]).all() and not whole(got[name][wrong]).all() for name, values in wanted.items())


def _constant(wanted: Rows, got: Rows, wrong: list[int]) -> bool:
    """Whether every wrong row holds one value in every output, where more than one is wanted."""
    rows = [(values[row].ravel(), got[name][row].ravel()) for name, values in wanted.items() for row in wrong]
    varied = any((a != a[:1]).any() for a, _ in rows)
    return varied and all((b == b[:1]).all() for _, b in rows)


def _all_among(got: Rows, others: Rows, wrong: list[int], tolerance: Tolerance) -> bool:
    """Whether every wrong row is one of `others`, and these are not all alike."""
    count = len(next(iter(others.values())))
    if any(name not in others or others[name].shape[1:] != values.shape[1:] for name, values in got.items()):
        return False
    return all(
        any(not rows_off(taken(others, [other]), taken(got, [row]), tolerance).any() for other in range(count))
        for row in wrong
    )
