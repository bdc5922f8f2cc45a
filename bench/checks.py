"""What the checks of a run cost: processor time of `porter run` with them and without, in turns.

Usage: python bench/checks.py [--photos DIR --labels FILE] [--quick]

Without them nothing is compared but batches 1, 2 and 3, nothing is audited or tried, and what timed calls return is
not looked at. Prints one line a run; the exit code says whether one costs more than it may.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from startup import seconds_of

from porter import main as porter
from porter.pipeline import load, verify
from porter.pipeline.evaluation import auditing, checking, evaluating, output_passes
from porter.pipeline.speed import timed_outputs
from porter.records.coverage import SettingCheck
from porter.records.precision_signs import PrecisionSigns

ROUNDS = 5
SAMPLE, PHOTOS = 1.15, 1.10
"""What the shipped sample and a thousand photos may cost with the checks, as a multiple of the cost without."""
OUTSIDE = Path(__file__).resolve().parents[2] / "shared/data/imagenet-sample"
WITHOUT = "--without-checks"


def main() -> int:
    """Measure each run in turns."""
    if WITHOUT in sys.argv:
        leave_out()
        sys.argv.remove(WITHOUT)
        porter(sys.argv[1:])
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--photos", type=Path, default=OUTSIDE / "val", help="folder of labelled photos")
    parser.add_argument("--labels", type=Path, default=OUTSIDE / "val_label.txt", help="their labels")
    parser.add_argument("--quick", action="store_true", help="one round")
    options = parser.parse_args()
    rounds = 1 if options.quick else ROUNDS
    missed: int = costs("the shipped sample, hrnet", ["hrnet"], SAMPLE, rounds)
    if options.photos.is_dir():
        given = ["efficientnet_lite0", "--data", str(options.photos), "--labels", str(options.labels)]
        missed += costs(f"efficientnet_lite0 on {options.photos.name}", given, PHOTOS, rounds)
    return int(missed > 0)


def costs(what: str, run: list[str], limit: float, rounds: int) -> bool:
    """Print what the checks of one run cost; whether that is more than `limit` times the run without them."""
    ways: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        for checked in (bool(number % 2), not number % 2):
            ways[checked].append(processor_seconds(run, checked=checked))
    ratio = statistics.median(ways[True]) / statistics.median(ways[False])
    seconds = f"{statistics.median(ways[True]):.1f} s of a processor, {statistics.median(ways[False]):.1f} s without"
    verdict = "missed" if ratio > limit else "reached"
    print(f"checks of {what}: {seconds}, {ratio:.2f} times; to reach {limit}: {verdict}", file=sys.stderr)  # noqa: T201
    return ratio > limit


def processor_seconds(run: list[str], *, checked: bool) -> float:
    """Of a run in a folder and a cache of its own. Its exit code is 1 where a verdict fails."""
    with tempfile.TemporaryDirectory(prefix="porter-bench-") as folder:
        arguments = ["run", *run, "--out", f"{folder}/out"]
        command = ("-m", "porter") if checked else (__file__, WITHOUT)
        return seconds_of(*command, *arguments, codes=(0, 1))


def leave_out() -> None:
    """Take the checks out of the pipeline, in this process."""

    class NoAudit(auditing.Audit):
        def take(self, batch: Any) -> None:
            pass

        def finished(self, evaluation: Any, answers: Any) -> None:  # type: ignore[override]
            return None

    replaced: dict[tuple[Any, str], Any] = {
        (load, "audit_weights"): lambda job: None,
        (verify, "session_faults"): lambda *_: (),
        (verify, "signs_of"): lambda *_: PrecisionSigns(),
        (evaluating, "suspected"): lambda job, record, reference: record,
        (sys.modules["porter.pipeline.evaluation.evaluate"], "Audit"): NoAudit,
        (checking.Checking, "seen"): lambda self, answered: answered,
        (output_passes, "gaps_between"): lambda *_: (),
        (timed_outputs.TimedOutputs, "before"): lambda *_: None,
        (timed_outputs.TimedOutputs, "after"): lambda *_: SettingCheck(batch=1, streams=1, rows=0, over=0),
    }
    for (place, name), other in replaced.items():
        if not hasattr(place, name):
            raise SystemExit(f"bench/checks.py: {place.__name__} has no {name} to leave out")
        setattr(place, name, other)


if __name__ == "__main__":
    sys.exit(main())
