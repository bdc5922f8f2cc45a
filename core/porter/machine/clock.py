"""The time as records have it."""

from __future__ import annotations

import datetime


def now() -> str:
    """Local time with offset, ISO 8601, to the second."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
