"""Run the targets: a fixed number of examples for the tests, or until a time has passed. See `make fuzz`."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.targets import TARGETS, Target

ROUND = 100
"""Examples of a target, by its cost, before the next one has its turn."""


def fuzz(target: Target, folder: Path, examples: int, seed: int | None = None) -> None:
    """Check that many mutated inputs, always the same ones without a `seed`. Raises with the smallest that fails."""

    @settings(
        max_examples=max(1, examples // target.cost),
        derandomize=seed is None,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(target.mutated(target.seeds()))
    def check(data: bytes) -> None:
        target.check(data, folder)

    (check if seed is None else hypothesis.seed(seed)(check))()


def main() -> int:
    """Fuzz in rounds until the time is over; the exit code says whether an input failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--target", choices=TARGETS, action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    begun, rounds = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as place:
        while time.monotonic() - begun < options.seconds:
            for name in options.target or TARGETS:
                seed = random.randrange(2**32)
                try:
                    fuzz(TARGETS[name], Path(place, "fuzz"), ROUND, seed)
                except Exception:
                    print(f"{name}: failed with seed {seed}", file=sys.stderr)  # noqa: T201
                    raise
                if time.monotonic() - begun > options.seconds:
                    break
            rounds += 1
    print(f"clean: {rounds} rounds of {ROUND} inputs a target, {time.monotonic() - begun:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
