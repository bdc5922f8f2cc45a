"""What a run comes to: its state, one cause, one command, and a sentence once with all that it holds for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny import start, write_photos

from porter.documents.placeholders import without_paths
from porter.errors import ExitCode
from porter.pipeline.judge.grouping import grouped
from porter.pipeline.judge.overall_state import artefact_states, overall
from porter.pipeline.judge.verdicts import exit_code, judge
from porter.records.choice import Choice
from porter.records.message import Message
from porter.records.overall import Standing
from porter.records.paired import PairedVerdict
from porter.records.record import RunRecord, State
from porter.records.unfinished import Failing, Unfinished


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wide limit")
    labels = write_photos(folder / "val", [0, 1, 2] * 8)
    start(folder / "out", folder / "val", labels, max_drop=50.0).everything()
    return folder / "out"


@pytest.fixture
def record(folder: Path) -> RunRecord:
    from porter.runfolder.record_file import read_record

    return read_record(folder)


def test_a_pass_says_accuracy_and_speed(record: RunRecord) -> None:
    assert record.overall is not None and record.overall.standing is Standing.PASS and not record.overall.command
    first, last = map(str, record.overall.sentences)
    assert first == "Top-1 100.00%, the reference 100.00%: drop 0.00 points, limit 50.00 (24 images)"
    assert last.startswith("Fastest that passes: `onnxruntime-fp32`, ")
    assert [(one.name, one.passed) for one in record.states] == [("onnxruntime-fp32", True)]


def test_what_was_not_checked_makes_it_incomplete(record: RunRecord) -> None:
    unchecked = tuple(replace(one, state=State.NOT_RUN) if one.name == "weights" else one for one in record.verdicts)
    found = overall(replace(record, verdicts=unchecked))
    assert found.standing is Standing.INCOMPLETE and str(found.sentences[0]) == "Not checked: Weights loaded"
    nothing = tuple(replace(one, state=State.NOT_RUN) for one in record.verdicts)
    assert overall(replace(record, verdicts=nothing)).standing is Standing.NOT_VERIFIED


def test_a_failure_names_its_cause_and_the_next_command(record: RunRecord) -> None:
    failing = tuple(
        replace(one, state=State.FAIL, evidence=(Message("two tensors differ"), *one.evidence))
        if one.name == "weights"
        else one
        for one in record.verdicts
    )
    found = overall(replace(record, verdicts=failing))
    assert found.standing is Standing.FAIL and str(found.sentences[0]) == "Weights loaded fails: two tensors differ"
    assert found.command.startswith("porter diagnose run ")
    assert any("conversion is sound" in str(one) for one in found.sentences)


def test_an_artefact_that_fails_says_by_what(record: RunRecord) -> None:
    lost = tuple(replace(one, passed=False) for one in record.comparisons)
    assert [(str(one.state), one.passed) for one in artefact_states(replace(record, comparisons=lost))] == [
        ("accuracy", False)
    ]


def test_no_document_names_a_path_of_the_machine(folder: Path) -> None:
    for name in ("README.md", "README.zh.md", "report.html"):
        text = (folder / name).read_text(encoding="utf-8")
        assert str(folder.parent) not in text and "--data DATA --labels LABELS" in text, name


def test_a_sentence_stands_once_with_all_that_it_holds_for() -> None:
    same, other = Message("within tolerance"), Message("outside tolerance")
    lines = [("a", same), ("b", other), ("c", same)]
    assert list(map(str, grouped(lines, 3))) == ["a, c: within tolerance", "b: outside tolerance"]
    assert list(map(str, grouped([(name, same) for name in "abcd"], 4))) == ["all 4 artefacts: within tolerance"]


def test_a_target_that_could_not_be_timed_is_no_pass(record: RunRecord) -> None:
    """Its verdicts pass, and the exit code is 1."""
    broken = Unfinished(artefact="slow-fp32", stage=Failing.BENCH, reason="it hung")
    judged = judge(replace(record, unfinished=(broken,)))
    assert judged.overall is not None and judged.overall.standing is Standing.INCOMPLETE
    assert str(judged.overall.sentences[0]) == "slow-fp32: not measured, it hung"
    assert exit_code(judged) is ExitCode.VERDICT_FAILED


def test_what_was_not_compared_is_not_called_one_that_passes(record: RunRecord) -> None:
    judged = judge(replace(record, evaluations=(), comparisons=()))
    assert judged.overall is not None and not any("passes" in str(one) for one in judged.overall.sentences)


def test_what_auto_rejected_leaves_the_whole_proven(record: RunRecord) -> None:
    evaluation = record.evaluations[1]
    assert evaluation.changes is not None and evaluation.changes.paired is not None
    open_drop = replace(evaluation.changes.paired, verdict=PairedVerdict.UNDECIDED)
    other = replace(evaluation, name="other", changes=replace(evaluation.changes, paired=open_drop))
    choice = Choice(
        baseline="", allowed=50.0, candidates=(), chosen="onnxruntime-fp32", reason="fast", measured="today"
    )
    judged = judge(replace(record, evaluations=(*record.evaluations, other), choice=choice))
    assert judged.overall is not None and judged.overall.standing is Standing.PASS


def test_commands_name_the_run_by_one_placeholder(record: RunRecord) -> None:
    commands = {"run": "porter run out --out out", "report": "porter report out", "diagnose": "porter diagnose run out"}
    shown = without_paths(replace(record, commands=commands)).commands
    assert shown["run"] == "porter run out --out OUT"
    assert (shown["report"], shown["diagnose"]) == ("porter report OUT", "porter diagnose run OUT")
