"""`porter compare`: what changed is named, a drop is seen in few images, and noise is not taken for a difference."""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import SPEC, TinyPlugin, start, write_photos

from porter.cli.main import main
from porter.cli.table import show_table
from porter.comparing.compare import compare_runs
from porter.comparing.pairs import pairs
from porter.comparing.reproduce import other_versions, reproduction, require_inputs
from porter.comparing.speed_change import compare_speed
from porter.errors import BadInput
from porter.files.hashes import file_digest
from porter.machine.statistics import interval_of_difference, wilson
from porter.records.artefact import SessionInfo
from porter.records.comparison import ChangeOutcome, Presence, RunComparison
from porter.records.performance import Latency, Performance
from porter.records.record import SCHEMA_VERSION, RunRecord
from porter.records.request import RunRequest
from porter.runfolder.record_file import read_record, write_record

IMAGES = 60
HOSTILE = "<script>alert(1)</script>\x1b[31m\n| `x`"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`a`, and `same`, which is the same command again in another folder."""
    root = tmp_path_factory.mktemp("runs")
    labels = write_photos(root / "val", [0, 1, 2] * (IMAGES // 3))
    for name in ("a", "same"):
        start(root / name, root / "val", labels, max_drop=50.0, bench_seconds=0.02).everything()
        settle(root / name)
    return root


def settle(folder: Path) -> None:
    """Give the speed of a record figures that do not depend on who else uses the machine."""
    record = read_record(folder)
    write_record(folder, replace(record, performance=tuple(steady(one) for one in record.performance)))


def steady(one: Performance) -> Performance:
    return replace(one, ms_per_image=1.0, images_per_second=1000.0, steady=True, latency=calls(1.0, 2.0))


def calls(median: float, spread: float | None) -> Latency:
    return Latency(median_ms=median, min_ms=0.9 * median, max_ms=1.2 * median, spread_percent=spread)


def copied(runs: Path, to: Path) -> Path:
    shutil.copytree(runs / "a", to)
    return to


def with_wrong(folder: Path, evaluation: str, wrong: int) -> None:
    """Rewrite predictions.csv and the record as if so many images had been answered wrongly."""
    path = folder / "predictions.csv"
    with path.open(newline="") as stream:
        header, *rows = csv.reader(stream)
    mine = [row for row in rows if row[2] == evaluation]
    for row in mine[:wrong]:
        row[6] = "0"
    with path.open("w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    record = read_record(folder)
    hits = IMAGES - wrong
    evaluations = []
    for one in record.evaluations:
        if one.name == evaluation:
            top1 = replace(one.metrics[0], hits=hits, value=100 * hits / IMAGES, interval=wilson(hits, IMAGES))
            one = replace(one, metrics=(top1, *one.metrics[1:]))
        evaluations.append(one)
    files = tuple(replace(f, sha256=file_digest(path)) if f.path == path.name else f for f in record.files)
    write_record(folder, replace(record, evaluations=tuple(evaluations), files=files))


# --- the same run twice ----------------------------------------------------------------------------------------------


def test_the_same_command_again_differs_in_nothing(runs: Path) -> None:
    found = compare_runs(runs / "a", runs / "same")
    assert (found.inputs, found.options, found.versions, found.machine, found.notes) == ((), (), (), (), ())
    assert {one.outcome for one in (*found.verdicts, *found.accuracy, *found.speed)} == {ChangeOutcome.SAME}
    assert {file.presence for file in found.files} == {Presence.SAME} and len(found.files) >= 2
    assert all(one.paired for one in found.accuracy if one.metric == "top1")
    assert found.worse == ()
    assert reproduction(runs / "a", runs / "same").reproduction == ()


def test_it_survives_json_as_its_schema_says(runs: Path) -> None:
    found = reproduction(runs / "a", runs / "same")
    assert msgspec.json.decode(msgspec.json.encode(found), type=RunComparison) == found


# --- accuracy --------------------------------------------------------------------------------------------------------


def test_a_drop_is_seen_image_by_image_that_two_intervals_hide(runs: Path, tmp_path: Path) -> None:
    worse = copied(runs, tmp_path / "worse")
    with_wrong(worse, "onnxruntime-fp32", 6)
    found = compare_runs(runs / "a", worse)
    [top1] = [one for one in found.accuracy if one.second_evaluation == "onnxruntime-fp32" and one.metric == "top1"]
    assert top1.first_interval is not None and top1.second_interval is not None
    assert top1.first_interval.low < top1.second_interval.high, "the intervals of the figures overlap"
    assert top1.outcome is ChangeOutcome.WORSE and top1.difference == -10.0
    assert top1.paired is not None and (top1.paired.right_to_wrong, top1.paired.wrong_to_right) == (6, 0)
    assert found.worse == ("onnxruntime-fp32: Top-1 90.00 percent, it was 100.00, beyond the noise",)
    back = compare_runs(worse, runs / "a")
    assert back.worse == () and ChangeOutcome.BETTER in {one.outcome for one in back.accuracy}


def test_two_flips_of_sixty_are_noise_and_no_reproduction(runs: Path, tmp_path: Path) -> None:
    other = copied(runs, tmp_path / "other")
    with_wrong(other, "onnxruntime-fp32", 2)
    found = compare_runs(runs / "a", other)
    assert found.worse == () and ChangeOutcome.WITHIN_NOISE in {one.outcome for one in found.accuracy}
    missed = reproduction(runs / "a", other).reproduction
    assert missed is not None and any("Top-1 96.67 percent, it was 100.00" in line for line in missed)
    assert "predictions.csv: changed" in missed


@pytest.mark.parametrize(
    "what", ["gone", "altered", "torn", "other labels", "other content", "half scores", "no record"]
)
def test_why_images_are_not_paired_is_said(runs: Path, tmp_path: Path, what: str) -> None:
    other = copied(runs, tmp_path / "other")
    path, record = other / "predictions.csv", read_record(other)
    assert record.data is not None
    says = {
        "gone": "no such file",
        "altered": "not what the run wrote",
        "torn": "cannot be read",
        "other labels": "against other labels",
        "other content": "differ in content",
        "half scores": "more than right or wrong",
        "no record": "names no predictions.csv",
    }[what]
    match what:
        case "gone":
            path.unlink()
        case "altered":
            path.write_text(path.read_text().replace(",1,", ",0,", 1))
        case "torn" | "half scores":
            text = path.read_text()
            path.write_text(text[:-60] if what == "torn" else text.replace(",ok,1,", ",ok,0.5,"))
            files = tuple(replace(f, sha256=file_digest(path)) for f in record.files if f.path == path.name)
            record = replace(record, files=files)
        case "other labels":
            record = replace(record, data=replace(record.data, manifest_sha256="0" * 64))
        case "other content":
            record = replace(record, data=replace(record.data, content_sha256="0" * 64))
        case _:
            record = replace(record, files=())
    write_record(other, record)
    found = compare_runs(runs / "a", other)
    first = next(one for one in found.accuracy if one.metric == "top1")
    assert first.paired is None and says in first.why_not_paired
    assert first.outcome is ChangeOutcome.SAME and first.difference_interval is not None


def test_what_is_no_longer_measured_is_worse(runs: Path, tmp_path: Path) -> None:
    other = copied(runs, tmp_path / "other")
    write_record(other, replace(read_record(other), evaluations=(), verdicts=(), performance=(), files=()))
    found = compare_runs(runs / "a", other)
    assert len(found.worse) == 5 + 2 and all("it was" in line for line in found.worse)
    assert {one.outcome for one in found.speed} == {ChangeOutcome.UNKNOWN}
    assert compare_runs(other, runs / "a").worse == ()


def test_another_task_and_another_model_are_said(runs: Path, tmp_path: Path) -> None:
    other = copied(runs, tmp_path / "other")
    write_record(other, replace(read_record(other), model=replace(SPEC, task="counting", title=HOSTILE)))
    found = compare_runs(runs / "a", other)
    assert found.accuracy == () and len(found.notes) == 2 and "different tasks" in found.notes[1]
    assert all("\n" not in note and "\x1b" not in note for note in found.notes)


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """56/70 against 48/80: 0.0524 to 0.3339, R. G. Newcombe (1998), table II, method 10, example a."""
    first, second = wilson(48, 80), wilson(56, 70)
    found = interval_of_difference(60.0, first, 80.0, second)
    assert (round(found.low, 2), round(found.high, 2)) == (5.24, 33.39)


@settings(max_examples=200)
@given(st.integers(1, 300), st.data())
def test_that_interval_holds_the_difference_and_turns_with_it(count: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, count)), data.draw(st.integers(0, count))
    one, other = wilson(a, count), wilson(b, count)
    there = interval_of_difference(100 * a / count, one, 100 * b / count, other)
    back = interval_of_difference(100 * b / count, other, 100 * a / count, one)
    assert there.low <= 100 * (b - a) / count <= there.high
    assert math.isclose(there.low, -back.high, abs_tol=1e-9) and math.isclose(there.high, -back.low, abs_tol=1e-9)


# --- what stands beside what -----------------------------------------------------------------------------------------


def test_the_only_two_that_are_left_over_stand_side_by_side() -> None:
    assert pairs(["reference", "a"], ["reference", "b"]) == (("reference", "reference"), ("a", "b"))
    assert pairs(["r", "a"], ["b", "r", "c"]) == (("r", "r"), ("a", ""), ("", "b"), ("", "c"))
    assert pairs(["reference", "a"], ["b"]) == (("a", "b"), ("reference", ""))
    assert pairs(["reference"], ["b"]) == (("reference", ""), ("", "b"))
    assert pairs([], ["b"]) == (("", "b"),)


def test_an_artefact_a_batch_stands_beside_one_for_all_of_them() -> None:
    """As a runtime has them that builds for one batch size alone."""
    base = speed_of(1.0)
    sizes = (1, 4, 16)
    fixed = tuple(replace(base.performance[0], artefact=f"s-fp16-bs{size}", batch=size) for size in sizes)
    free = tuple(replace(base.performance[0], batch=size) for size in sizes)
    found = compare_speed(replace(base, performance=free), replace(base, performance=fixed))
    assert [(one.first_artefact, one.second_artefact, one.batch) for one in found] == [
        ("r-fp32", f"s-fp16-bs{size}", size) for size in sizes
    ]


# --- speed -----------------------------------------------------------------------------------------------------------

SESSION = SessionInfo(runtime="r", version="1", precision="fp32", provider="cpu", threads=1)


def speed_of(ms: float, spread: float | None = 2.0, *, is_steady: bool | None = True, threads: int = 1) -> RunRecord:
    one = Performance(
        artefact="r-fp32",
        session=replace(SESSION, threads=threads),
        batch=1,
        input="random values",
        load_ms=None,
        first_run_ms=None,
        warmup_runs=None,
        calls=None,
        latency=calls(ms, spread) if spread is not None else Latency(),
        ms_per_image=ms,
        images_per_second=1000 / ms,
        steady=is_steady,
    )
    request = RunRequest(model="m")
    return RunRecord(porter="0", created="then", command="c", request=request, performance=(one,))


@pytest.mark.parametrize(
    ("first", "second", "outcome", "noise"),
    [
        (speed_of(1.0), speed_of(1.0), ChangeOutcome.SAME, 5.0),
        (speed_of(1.0), speed_of(1.049), ChangeOutcome.WITHIN_NOISE, 5.0),
        (speed_of(1.0), speed_of(1.051), ChangeOutcome.WORSE, 5.0),
        (speed_of(1.051), speed_of(1.0), ChangeOutcome.BETTER, 5.0),
        (speed_of(1.0, 30.0), speed_of(1.4, 40.0), ChangeOutcome.WITHIN_NOISE, 50.0),
        (speed_of(1.0, 30.0), speed_of(1.6, 40.0), ChangeOutcome.WORSE, 50.0),
        (speed_of(1.0), speed_of(1.2, is_steady=False), ChangeOutcome.UNKNOWN, 5.0),
        (speed_of(1.0), speed_of(9.0, is_steady=False), ChangeOutcome.WORSE, 5.0),
        (speed_of(1.0), speed_of(9.0, None), ChangeOutcome.UNKNOWN, None),
        (speed_of(9.0, None, is_steady=None), speed_of(9.0, None, is_steady=None), ChangeOutcome.SAME, None),
        (speed_of(1.0, None, is_steady=None), speed_of(9.0), ChangeOutcome.UNKNOWN, None),
        (speed_of(1.0), replace(speed_of(1.0), performance=()), ChangeOutcome.UNKNOWN, None),
    ],
)
def test_speed_differs_beyond_its_noise_only(
    first: RunRecord, second: RunRecord, outcome: ChangeOutcome, noise: float | None
) -> None:
    [one] = compare_speed(first, second)
    assert (one.outcome, one.noise_percent) == (outcome, noise)
    assert bool(one.reason) == (outcome is ChangeOutcome.UNKNOWN)


def test_other_conditions_are_named_beside_the_ratio() -> None:
    [one] = compare_speed(speed_of(2.0), speed_of(1.0, threads=2))
    assert one.ratio == 2.0 and [(c.name, c.first, c.second) for c in one.conditions] == [("threads", "1", "2")]


def test_a_setting_that_a_search_added_is_not_held_against_the_plain_one() -> None:
    first, second = speed_of(1.0), speed_of(1.0)
    plain = second.performance[0]
    searched = replace(plain, session=replace(plain.session, streams=2), queued=2, ms_per_image=4.0)
    [one] = compare_speed(first, replace(second, performance=(plain, searched)))
    assert (one.outcome, one.conditions) == (ChangeOutcome.SAME, ())


# --- what they were made from, and reproduction ----------------------------------------------------------------------


def changed(runs: Path, to: Path, **fields: Any) -> Path:
    folder = copied(runs, to)
    write_record(folder, replace(read_record(folder), **fields))
    return folder


def test_what_changed_is_named_and_paths_are_not_content(runs: Path, tmp_path: Path) -> None:
    record = read_record(runs / "a")
    assert record.environment is not None
    packages = {**record.environment.packages, "numpy": "0.1"}
    other = changed(
        runs,
        tmp_path / "other",
        request=replace(record.request, threads=7, data="elsewhere", labels="elsewhere.txt"),
        inputs=tuple(replace(one, sha256="f" * 64, path="elsewhere.txt") for one in record.inputs),
        environment=replace(record.environment, packages=packages, cpu="Abacus 1", load_average=99.0),
        plugins=tuple(replace(use, source_sha256="0" * 64) for use in record.plugins),
    )
    found = compare_runs(runs / "a", other)
    assert [one.name for one in found.inputs] == ["labels"]
    assert [(one.name, one.first, one.second) for one in found.options] == [("threads", "1", "7")]
    assert {"numpy", "plugin of model", "plugin of task"} <= {one.name for one in found.versions}
    assert [(one.name, one.second) for one in found.machine] == [("cpu", "Abacus 1")]
    missed = reproduction(runs / "a", other).reproduction
    assert missed is not None and {line.split(":")[0] for line in missed} == {"input labels", "option threads"}


def test_a_record_that_knows_of_no_machine_says_so_in_one_line(runs: Path, tmp_path: Path) -> None:
    imported = changed(runs, tmp_path / "imported", environment=None)
    found = compare_runs(runs / "a", imported)
    assert found.versions == () and [(one.name, one.second) for one in found.machine] == [("machine", None)]
    assert other_versions(read_record(imported)) == ()
    assert reproduction(runs / "a", imported).reproduction == ()


def test_on_another_machine_files_and_speed_are_stated_and_decide_nothing(runs: Path, tmp_path: Path) -> None:
    record = read_record(runs / "a")
    assert record.environment is not None
    slow = tuple(replace(one, ms_per_image=9.0) for one in record.performance)
    files = tuple(replace(one, sha256="f" * 64) if one.path.endswith(".onnx") else one for one in record.files)
    here = changed(runs, tmp_path / "here", performance=slow, files=files)
    found = reproduction(runs / "a", here)
    assert found.reproduction is not None and [".onnx: changed" in line for line in found.reproduction] == [True]
    assert sum("slower; noise" in note for note in found.notes) == len(slow)
    there = replace(record.environment, cpu="Abacus 1")
    away = changed(runs, tmp_path / "away", performance=slow, files=files, environment=there)
    found = reproduction(runs / "a", away)
    assert found.reproduction == ()
    assert any("another machine" in note for note in found.notes) and any(".onnx: changed" in n for n in found.notes)
    newer = replace(record.environment, packages={**record.environment.packages, "onnx": "99"})
    updated = changed(runs, tmp_path / "updated", files=files, environment=newer)
    found = reproduction(runs / "a", updated)
    assert found.reproduction == () and any("onnx: 99, it was" in note for note in found.notes)


def test_inputs_that_changed_and_versions_that_differ_are_named(runs: Path) -> None:
    record = read_record(runs / "a")
    require_inputs(record, {})
    assert other_versions(record) == ()
    [labels] = record.inputs
    for path, says in (("nowhere.txt", "no such file"), (__file__, "not the labels of the original run")):
        with pytest.raises(BadInput, match=says):
            require_inputs(replace(record, inputs=(replace(labels, path=path),)), {})
    require_inputs(replace(record, inputs=(replace(labels, path="nowhere.txt", shipped=True),)), {})
    older = replace(record, porter="0.0.1")
    assert [(one.name, one.first) for one in other_versions(older)] == [("porter-core", "0.0.1")]


# --- the command -----------------------------------------------------------------------------------------------------


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert isinstance(stopped.value.code, int)
    return stopped.value.code, out, err


def test_the_exit_code_and_the_words(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, runs / "a", runs / "same")
    assert code == 0 and "\nNo loss found in verdicts or accuracy.\n" in out
    worse = copied(runs, tmp_path / "worse")
    with_wrong(worse, "onnxruntime-fp32", 30)
    code, out, _ = call(capsys, runs / "a", worse)
    assert code == 1 and "beyond the noise" in out and "30 right to wrong, 0 wrong to right, of 60" in out
    code, out, _ = call(capsys, "--json", worse, runs / "a")
    assert code == 0 and json.loads(out)["second"]["folder"] == str(runs / "a")
    assert call(capsys, "--reproduce", runs / "a", worse)[0] == 1
    assert call(capsys, "--reproduce", runs / "a")[:2] == (0, "inputs: those of the record\n")


def test_a_mistake_is_one_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    newer = copied(runs, tmp_path / "newer")
    record = newer / "run.json"
    record.write_text(record.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 99'))
    a = runs / "a"
    for arguments, says in {
        (a, a / "."): "are the same folder",
        (a,): "two runs are needed",
        (a, tmp_path / "nowhere"): "no run record",
        (a, newer): "schema_version is 99",
        (a, runs / "same", "--html", tmp_path): "a folder, not a file",
    }.items():
        code, out, err = call(capsys, *arguments)
        assert (code, out) == (2, "") and says in err and err.count("\n") == 1


def test_the_page_holds_hostile_names_as_text(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile = changed(runs, tmp_path / "hostile", model=replace(SPEC, title=HOSTILE))
    code, out, _ = call(capsys, runs / "a", hostile, "--html", tmp_path / "made/page.html")
    page = (tmp_path / "made/page.html").read_text(encoding="utf-8")
    assert code == 0 and "\x1b" not in out + page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert not re.search(r"(?:src|href)=|url\(|@import", page), "the page loads nothing"
    assert page.count("<table") == page.count("</table>") >= 4


def test_the_columns_of_a_plain_table_stand_below_one_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And whatever the terminal's width, no cell is cut or wrapped, nor taken for markup."""
    monkeypatch.setenv("COLUMNS", "40")
    long = "[red]x[/red] " + "y" * 3000
    show_table(("a", "b"), [("long name", long), ("", "y\x1b[2J\n")])
    assert capsys.readouterr().out == f"a          b\nlong name  {long}\n           y\\x1b[2J\n"


def test_neither_torch_nor_a_runtime_is_imported(runs: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['torch', 'onnx', 'onnxruntime', 'openvino', 'cv2', 'matplotlib']))\n"
        "from porter.cli.main import main\n"
        f"main(['compare', {str(runs / 'a')!r}, {str(runs / 'same')!r}, '--html', {str(runs / 'page.html')!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_network_is_another_file(runs: Path, tmp_path: Path) -> None:
    from tiny import strongest_channel

    network = strongest_channel()
    network[2].bias.data[0] = 0.5
    labels = runs / "labels.txt"
    run = start(tmp_path / "b", runs / "val", labels, plugin=TinyPlugin(network=network), max_drop=50.0)
    run.export()
    found = compare_runs(runs / "a", tmp_path / "b")
    assert {file.path: file.presence for file in found.files}["models/tiny.onnx"] is Presence.CHANGED
