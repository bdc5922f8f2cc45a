"""What a session can get wrong is found by the check of that name; a session that is right is told nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lying
import numpy as np
import pytest
from lying import Lie, Lying, Offering
from tiny import start, write_photos

from porter.diagnose.rounding import rounded_to
from porter.errors import ExitCode
from porter.pipeline.run import Run
from porter.pipeline.session_checks import check_names as names
from porter.pipeline.session_checks.changed_outputs import output_findings
from porter.pipeline.session_checks.same_outputs import Same
from porter.records.parity import Tolerance
from porter.records.record import State, Verdict

FAULTS: list[tuple[type[Lie], str]] = [
    (lying.Noisy, names.NOT_DETERMINISTIC),
    (lying.OfNeighbours, names.NEIGHBOURS),
    (lying.Centred, names.NEIGHBOURS),
    (lying.OfPlace, names.PLACE),
    (lying.LastRow, names.LAST_ROW),
    (lying.RoundedInput, names.OTHER_INPUT),
    (lying.Shuffled, names.SHUFFLED),
    (lying.BatchBefore, names.BATCH_BEFORE),
    (lying.OneBuffer, names.ONE_BUFFER),
    (lying.NotReentrant, names.THREADS),
    (lying.SecondStream, names.THREADS),
    (lying.OtherThread, names.THREADS),
    (lying.FromCall, names.LATER_CALLS),
    (lying.NanRows, names.NAN_ROWS),
    (lying.Layout, names.LAYOUT),
    (lying.LayoutOfBatches, names.LAYOUT),
    (lying.Swallowing, names.SWALLOWED),
    (lying.Zeros, names.SWALLOWED),
    (lying.StaleFile, names.STALE_FILE),
]


def run_of(folder: Path, lie: type[Lie], *, precision: str = "fp32", fresh: bool = True, **options: Any) -> Run:
    labels = write_photos(folder / "val", [0, 1, 2] * 20)
    plugin = Offering(Lying(lie, precision))
    given = {"runtimes": ("lying",), "precisions": (precision,), "batch": 4, **lie.needs, **options}
    return start(folder / "out", folder / "val", labels, plugin=plugin, fresh=fresh, **given)


def parity(run: Run) -> Verdict:
    return next(one for one in run.record.verdicts if one.name == "parity")


def require_found(run: Run, check: str) -> None:
    verdict = parity(run)
    said = [str(one) for one in verdict.evidence]
    assert verdict.state is State.FAIL, said
    assert f": `{check}`: " in said[0], said


@pytest.mark.parametrize(("lie", "check"), FAULTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fault_is_found_by_its_name(lie: type[Lie], check: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, lie)
    assert run.everything() is ExitCode.VERDICT_FAILED
    require_found(run, check)


WIDE: list[tuple[type[Lie], str]] = [
    (lying.wide(lying.LastRow), names.LAST_ROW),
    (lying.wide(lying.Shuffled), names.SHUFFLED),
    (lying.wide(lying.NanRows), names.NAN_ROWS),
    (lying.wide(lying.Zeros), names.SWALLOWED),
    (lying.wide(lying.OfNeighbours), names.NEIGHBOURS),
    (lying.wide(lying.BatchBefore), names.BATCH_BEFORE),
    (lying.wide(lying.OnePlace), names.PLACE),
    (lying.wide(lying.Skipped), names.REPEATED),
]
"""Faults that no batch of verify shows."""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("lie", "check"), WIDE, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fault_of_the_scored_batches_alone_is_found(
    lie: type[Lie], check: str, precision: str, tmp_path: Path
) -> None:
    run = run_of(tmp_path, lie, precision=precision, batch_sizes=(1,))
    run.export(), run.evaluate(), run.verify()
    assert run.record.parity[0].passed
    require_found(run, check)


def test_a_fault_of_a_timed_batch_alone_is_found(tmp_path: Path) -> None:
    run = run_of(tmp_path, lying.wide(lying.LastRow, least=8), batch_sizes=(1, 8))
    assert run.everything() is ExitCode.VERDICT_FAILED
    require_found(run, names.LAST_ROW)
    one, eight = (found.check for found in run.record.performance)
    assert one is not None and eight is not None and (one.over, eight.over > 0) == (0, True)


def test_answers_from_memory_are_those_of_an_earlier_batch(tmp_path: Path) -> None:
    run = run_of(tmp_path, lying.wide(lying.Remembered), batch_sizes=(1,))
    assert run.everything() is ExitCode.VERDICT_FAILED
    require_found(run, names.BATCH_BEFORE)


@pytest.mark.parametrize(("bits", "found"), [(0xFFFF0000, "bf16"), (0xFFFFE000, "fp16"), (0xFFF80000, "")])
def test_numbers_tell_the_format_that_they_fit(bits: int, found: str) -> None:
    """bfloat16 is told from float16 where both hold the numbers, and numbers of a few bits tell nothing."""
    values = np.random.default_rng(0).uniform(1, 9, 64).astype(np.float32)
    assert rounded_to([(values.view(np.uint32) & np.uint32(bits)).view(np.float32)]) == found


def test_outputs_that_changed_places_are_named() -> None:
    random = np.random.default_rng(0)
    first, second = (random.standard_normal((3, 5)).astype(np.float32) for _ in range(2))
    same = Same({"class": first, "aux": second}, {"class": second, "aux": first}, Tolerance())
    (found,) = output_findings(same)
    assert str(found.detail) == "outputs `class` and `aux` are exchanged"


def test_a_place_that_is_wrong_in_a_timed_batch_is_named(tmp_path: Path) -> None:
    run = run_of(tmp_path, lying.wide(lying.OnePlace, least=8), batch_sizes=(1, 8))
    assert run.everything() is ExitCode.VERDICT_FAILED
    require_found(run, names.PLACE)


def test_an_error_of_the_size_of_a_precision_is_stated_below_fp32_and_fails_at_fp32(tmp_path: Path) -> None:
    coarse = run_of(tmp_path / "bf16", lying.Mild, precision="bf16", batch_sizes=(1, 4))
    assert coarse.everything() is ExitCode.OK
    compared = coarse.record.evaluations[1].compared
    assert compared is not None and (compared.images, compared.astray, compared.findings) == (60, 0, ())
    exact = run_of(tmp_path / "fp32", lying.wide(lying.Mild), batch_sizes=(1,))
    assert exact.everything() is ExitCode.VERDICT_FAILED
    compared = exact.record.evaluations[1].compared
    assert compared is not None and compared.over == 60 and len(compared.worst) == 10
    require_found(exact, names.BATCH_SIZE)
    said = "\n".join(map(str, parity(exact).evidence))
    assert "outputs of 60 images compared, batch 1 to 4, 1 stream, 60 outside tolerance" in said


def test_an_interrupted_comparison_goes_on(tmp_path: Path) -> None:
    """Images that were compared before the interruption count, as if it had not been."""

    class Stopping(lying.Wide):
        fault, stop = lying.LastRow, True

        def told(self, honest: Any, batch: Any, number: int) -> Any:
            if len(batch) == 4 and number > 10 and type(self).stop:
                raise KeyboardInterrupt
            return super().told(honest, batch, number)

    whole = run_of(tmp_path / "whole", lying.wide(lying.LastRow), batch_sizes=(1,))
    whole.export(), whole.evaluate()
    run = run_of(tmp_path / "part", Stopping, batch_sizes=(1,))
    run.export()
    with pytest.raises(KeyboardInterrupt):
        run.evaluate()
    Stopping.stop = False
    again = run_of(tmp_path / "part", Stopping, batch_sizes=(1,), fresh=False)
    again.evaluate()
    found, wanted = again.record.evaluations[1], whole.record.evaluations[1]
    assert found.end_to_end is not None and 0 < found.end_to_end.resumed < 60
    assert found.compared == wanted.compared
    assert wanted.compared is not None and wanted.compared.over == 15


def test_traces_that_are_gone_are_made_again(tmp_path: Path) -> None:
    run = run_of(tmp_path, lying.Mild, precision="bf16")
    run.export(), run.evaluate()
    before = run.record.evaluations[1].compared
    path = tmp_path / "out/cache/reference-outputs.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    again = run_of(tmp_path, lying.Mild, precision="bf16", fresh=False)
    again.evaluate()
    reference, artefact = again.record.evaluations
    assert reference.end_to_end is not None and reference.end_to_end.resumed == 56
    assert artefact.compared == before
