"""Facts of this machine: what bounds a measurement, and the versions behind it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from pathlib import Path

from porter.images import opencv, resample
from porter.records.environment import Environment

PACKAGES = ("porter-core", "numpy", "onnx", "onnxruntime", "opencv-python-headless", "pillow", "torch")
NOT_REPORTED = "not reported"


def usable_threads() -> int:
    """Threads that can really run at once: the least of affinity and control-group quota, at least 1."""
    quota = cgroup_cpus()
    return max(1, min(affinity_cpus(), int(quota) if quota else affinity_cpus()))


def affinity_cpus() -> int:
    """Processors that the scheduler lets this process use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def affinity() -> str:
    """The numbers of the processors that this process may use, e.g. `0-3,8`; empty where the system does not say."""
    if not hasattr(os, "sched_getaffinity"):
        return ""
    runs: list[list[int]] = []
    for number in sorted(os.sched_getaffinity(0)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)


def load_average() -> float | None:
    """Processes that ran or wanted to, on average of the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, MiB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def cgroup_cpus(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPU quota in processors, from `cpu.max` (cgroup v2) or `cpu.cfs_quota_us` (v1); None where there is none."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        quota_us = int((root / "cpu/cpu.cfs_quota_us").read_text())
        period_us = int((root / "cpu/cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None
    return quota_us / period_us if quota_us > 0 else None


def free_memory(root: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that this process can still take: of the machine, and of its control group (v2); None where unknown."""
    available = re.search(r"^MemAvailable: +(\d+) kB$", _read(str(meminfo)), re.MULTILINE)
    found = [1024 * int(available[1])] if available else []
    limit, used = _read(str(root / "memory.max")), _read(str(root / "memory.current"))
    cache = re.search(r"^inactive_file (\d+)$", _read(str(root / "memory.stat")), re.MULTILINE)
    if limit.isdecimal() and used.isdecimal():  # pages of files count as used, and are given back when needed
        found.append(int(limit) - int(used) + (int(cache[1]) if cache else 0))
    return min(found, default=None)


def let_threads_sleep() -> None:
    """Have OpenMP threads sleep, not spin, while they wait; to be called before PyTorch is imported.

    A spinning thread keeps a core from whoever holds up the others. Measured on two cores, one of them busy: 306 ms
    for one pass of a small network with spinning threads, 7 ms with sleeping ones, and no slower with both cores free.
    A policy that the user has set stands.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def versions(extra_packages: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What decides the last digits of a result and is in no file of the run: packages, Python, and the processor."""
    packages = [f"{name} {version}" for name, version in _versions((*PACKAGES, *extra_packages)).items()]
    return (*packages, f"python {platform.python_version()}", _cpu_model())


def describe(extra_packages: tuple[str, ...] = (), *, images: bool = True) -> Environment:
    """The machine now; `images`: also what decodes and resizes here, which takes half a second to find out."""
    return Environment(
        os=platform.platform(),
        python=platform.python_version(),
        cpu=_cpu_model(),
        logical_cpus=os.cpu_count() or 1,
        affinity_cpus=affinity_cpus(),
        affinity=affinity(),
        cgroup_cpus=cgroup_cpus(),
        threads=usable_threads(),
        memory_gib=_memory_gib(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or NOT_REPORTED,
        load_average=load_average() or 0.0,
        packages=_versions((*PACKAGES, *extra_packages)),
        jpeg_decoder=opencv.decoder() if images else "",
        slower_because=(opencv.unusable() or resample.unusable() or "") if images else "",
    )


def _cpu_model() -> str:
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine() or NOT_REPORTED


def _memory_gib() -> float:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return 0.0


def _versions(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in sorted(set(names), key=lambda name: (name not in PACKAGES[:1], name)):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
