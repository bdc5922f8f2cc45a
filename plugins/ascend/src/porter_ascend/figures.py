"""Reading figures out of tools' texts: every one is a positive finite number, or the file is refused by name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from porter import BadInput, one_line

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?nan|[-+]?inf(?:inity)?"
"""A number as C and Python print it, NaN and infinity among them, so that they are seen and refused."""
_BATCH = (re.compile(r"(?i)(?:^|[_-])bs_?(\d{1,5})(?!\d)"), re.compile(r"(?i)batch_?(?:size)?_?(\d{1,5})(?!\d)"))


@dataclass(frozen=True, kw_only=True)
class Times:
    """Times of one kind over all calls, in milliseconds. What the tool did not say is None."""

    mean: float
    min: float | None = None
    max: float | None = None
    median: float | None = None
    p99: float | None = None
    count: int | None = None
    """Calls behind them."""


def positive(value: object, what: str, where: object) -> float:
    """`value` as a number above zero. Raises `BadInput` naming file and figure for anything else, NaN among it."""
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number <= 0:
        raise BadInput(f"{one_line(where)}: {what} is {one_line(str(value)[:60])!r}, not a number above zero")
    return number


def optional(value: object, what: str, where: object) -> float | None:
    """The same, or None where it is absent or 0, which tools write for what they did not measure."""
    if value is None or (isinstance(value, int | float) and value == 0):
        return None
    if isinstance(value, str) and re.fullmatch(r"[-+]?0*\.?0*(?:[eE][-+]?\d+)?", value) and "0" in value:
        return None
    return positive(value, what, where)


def whole_ratio(value: float, unit: float) -> int | None:
    """`value` / `unit` where that is a count; None where it is none within a thousandth."""
    ratio = value / unit
    count = round(ratio)
    return count if count >= 1 and abs(ratio - count) <= 0.001 * count else None


def batch_in(name: str) -> int | None:
    """The batch size that a file name gives (`bs16`, `batchsize_16`, `batch16`); None where it gives none."""
    for pattern in _BATCH:
        if found := pattern.search(name):
            return int(found[1]) or None
    return None
