"""Outputs that are right later: those of a first call, and those that are still written when the call has returned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied
from porter.pipeline.session_checks.calls import differs
from porter.pipeline.session_checks.check_names import FIRST_CALL, UNFINISHED, finding
from porter.pipeline.session_checks.rows_alike import Run, rows_off
from porter.records.message import Message
from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    pass

CALLS = 4
"""Calls, the first one included, until which one is waited for that is right."""
SETTLED = 0.1
"""Seconds after which outputs are looked at again that were not right at once."""


def early_findings(run: Run, image: Rows, wanted: Rows, tolerance: Tolerance) -> Iterator[SessionFinding]:
    """Why the outputs of the first calls of a session are wrong, if it is that they are early.

    `run` is a session that has not been called. To be asked only where outputs are wrong.
    """
    held = run(image)
    first = copied(held)
    if not rows_off(wanted, first, tolerance).any():
        return
    time.sleep(SETTLED)
    if differs(first, copied(held)):
        yield finding(UNFINISHED, Message("the outputs change after the call returned, without another call"))
        return
    for number in range(2, CALLS + 1):
        if not rows_off(wanted, copied(run(image)), tolerance).any():
            yield finding(FIRST_CALL, Message("call {number} on the same image is correct", number=number))
            return
