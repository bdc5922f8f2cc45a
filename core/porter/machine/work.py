"""How much processor time was used while something ran, by this process and its children, and how much was free."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, kw_only=True)
class Work:
    """Processor time of a stretch of time."""

    wall: float
    """Seconds that passed."""
    busy: float
    """Processor seconds of this process and its children."""
    idle: float | None
    """Processor seconds in which those that this process may use had nothing to do; None: the system does not say."""

    @property
    def processors(self) -> float:
        """Processors kept busy, on average."""
        return self.busy / self.wall if self.wall else 0.0

    @property
    def spare(self) -> float | None:
        """Processors that had nothing to do, on average."""
        return None if self.idle is None or not self.wall else self.idle / self.wall


def meter() -> Callable[[], Work]:
    """Begin to measure; what is returned ends it."""
    begun, busy, idle = time.perf_counter(), _busy(), _idle()

    def ended() -> Work:
        wall, later = time.perf_counter() - begun, _idle()
        free = None if idle is None or later is None else later - idle
        return Work(wall=wall, busy=max(0.0, _busy() - busy), idle=free)

    return ended


def _busy() -> float:
    return time.process_time() + sum(map(_seconds_of, _children(os.getpid())))


def _children(process: int) -> list[int]:
    """Processes that this one started, and theirs; none where the system does not say."""
    found: list[int] = []
    for path in (PROC / str(process) / "task").glob("*/children"):
        try:
            direct = [int(text) for text in path.read_text().split()]
        except (OSError, ValueError):
            continue
        found += [*direct, *(one for child in direct for one in _children(child))]
    return found


def _seconds_of(process: int) -> float:
    """Processor time of a process, all its threads together."""
    try:
        fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def _idle() -> float | None:
    """Seconds that the processors of this process have had nothing to do, since the system started."""
    try:
        mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        lines = [line.split() for line in (PROC / "stat").read_text().splitlines() if line.startswith("cpu")]
        return sum(int(line[4]) for line in lines if line[0] in mine) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, OSError, ValueError, IndexError):
        return None
