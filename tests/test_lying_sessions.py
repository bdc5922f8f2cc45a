"""What a session can get wrong is found by the check of that name; a session that is right is told nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lying
import pytest
from lying import Lie, Lying, Offering
from tiny import start, write_photos

from porter.errors import ExitCode
from porter.pipeline.run import Run
from porter.pipeline.session_checks import check_names as names
from porter.records.record import State, Verdict

FAULTS: list[tuple[type[Lie], str]] = [
    (lying.Noisy, names.NOT_DETERMINISTIC),
    (lying.OfNeighbours, names.NEIGHBOURS),
    (lying.OfPlace, names.PLACE),
    (lying.LastRow, names.LAST_ROW),
    (lying.Shuffled, names.SHUFFLED),
    (lying.BatchBefore, names.BATCH_BEFORE),
    (lying.OneBuffer, names.ONE_BUFFER),
    (lying.NotReentrant, names.THREADS),
    (lying.SecondStream, names.THREADS),
    (lying.FromCall, names.LATER_CALLS),
    (lying.NanRows, names.NAN_ROWS),
    (lying.Layout, names.LAYOUT),
    (lying.Swallowing, names.SWALLOWED),
    (lying.Zeros, names.SWALLOWED),
    (lying.StaleFile, names.STALE_FILE),
]


def run_of(folder: Path, lie: type[Lie], **options: Any) -> Run:
    labels = write_photos(folder / "val", [0, 1, 2] * 20)
    given = {"runtimes": ("lying",), **lie.needs, **options}
    return start(folder / "out", folder / "val", labels, plugin=Offering(Lying(lie)), **given)


def parity(run: Run) -> Verdict:
    return next(one for one in run.record.verdicts if one.name == "parity")


@pytest.mark.parametrize(("lie", "check"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fault_is_found_by_its_name(lie: type[Lie], check: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, lie, batch=4)
    assert run.everything() is ExitCode.VERDICT_FAILED
    verdict = parity(run)
    assert verdict.state is State.FAIL
    assert f"lying-fp32, `{check}`: " in str(verdict.evidence[0]), [str(one) for one in verdict.evidence]
