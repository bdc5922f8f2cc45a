"""How much processor time was used while something ran, by this process and its children, and how much was free."""

from __future__ import annotations

import os
import threading
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

    waited: float | None = None
    """Seconds in which threads of this process and its children were ready and had no processor, all threads together;
    None: the system does not say."""

    @property
    def wanted(self) -> float | None:
        """Processors that were kept busy or waited for, on average: what others take does not change it."""
        return None if self.waited is None or not self.wall else (self.busy + self.waited) / self.wall

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
    waits = _waits()
    begun, busy, idle = time.perf_counter(), _busy(), _idle()

    def ended() -> Work:
        wall, later = time.perf_counter() - begun, _idle()
        used = max(0.0, _busy() - busy)
        waited = sum(seconds - waits.get(thread, 0.0) for thread, seconds in _waits().items())
        free = None if idle is None or later is None else later - idle
        return Work(wall=wall, busy=used, idle=free, waited=waited if waits else None)

    return ended


def waited_by_thread() -> float:
    """Seconds that the calling thread has waited for a processor since it began; 0 where the system does not say."""
    return _wait_of(PROC / "self" / "task" / str(threading.get_native_id()))


def _waits() -> dict[Path, float]:
    """Of each thread of this process and its children that is alive."""
    tasks = [
        task for process in (os.getpid(), *_children(os.getpid())) for task in (PROC / str(process) / "task").glob("*")
    ]
    return {task: _wait_of(task) for task in tasks if (task / "schedstat").exists()}


def _wait_of(task: Path) -> float:
    try:
        return int((task / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


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
