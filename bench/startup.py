"""What porter takes to start: seconds of a processor above what Python itself takes.

Usage: python bench/startup.py

Other processes on the machine change these less than the time by the clock. Prints one line a command.
"""

from __future__ import annotations

import resource
import subprocess
import sys

ROUNDS = 5
LIMITS = {"--help": 0.3, "plugins": 0.5}
"""Seconds that a command is meant to take at most: the best of the rounds, less the best of `python -c pass`."""


def main() -> int:
    """Measure each command; the exit code says whether one took longer."""
    bare, missed = best("-c", "pass"), 0
    for command, limit in LIMITS.items():
        seconds = best("-m", "porter", command) - bare
        missed += seconds > limit
        verdict = "missed" if seconds > limit else "reached"
        print(f"porter {command}: {seconds:.2f} s; to reach {limit} s: {verdict}", file=sys.stderr)  # noqa: T201
    return int(missed > 0)


def best(*arguments: str) -> float:
    """The least of the rounds."""
    return min(seconds_of(*arguments) for _ in range(ROUNDS))


def seconds_of(*arguments: str, codes: tuple[int, ...] = (0,)) -> float:
    """Processor time of Python with these arguments, which must end with one of `codes`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=False).returncode
    if code not in codes:
        raise SystemExit(f"{' '.join(arguments)}: ended with {code}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
