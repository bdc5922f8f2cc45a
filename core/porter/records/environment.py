"""The machine and the versions behind the figures."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.message import Text


@dataclass(frozen=True, kw_only=True)
class Environment:
    """What bounds a measurement: processor, limits, load, and the versions of what ran."""

    os: str
    """Operating system and kernel."""
    python: str
    """Version of Python."""
    cpu: str
    """Model name of the processor."""
    logical_cpus: int
    """Processors that the system has, hyper-threads counted."""
    affinity_cpus: int
    """Processors that the scheduler lets this process use."""
    cgroup_cpus: float | None
    """CPU quota of the control group, in processors; None: no quota."""
    affinity: str = ""
    """Which they are, e.g. `0-3,8`."""
    threads: int
    """Threads that sessions use unless told otherwise: the least of the three, at least 1."""
    memory_gib: float
    """Main memory of the machine."""
    governor: str
    """Frequency governor, or "not reported"."""
    load_average: float
    """Of the last minute, when the run began."""
    packages: dict[str, str]
    """Versions of the packages that matter, by distribution."""
    jpeg_decoder: str = ""
    """What decodes ordinary JPEGs, with its version."""
    slower_because: Text = ""
    """Why the fast ways of preprocessing are not in use here, which give the same bytes; empty where they are."""
