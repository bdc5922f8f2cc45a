"""What the commands print: on a terminal and in a pipe, of what they found and of what they removed."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from corpus.case import Ended
from corpus.case import porter as command_line
from rich.console import Console
from rich.progress import Progress, TextColumn
from terminals import on_terminal
from test_cli import porter
from tiny import write_photos

from porter.cli.progress_columns import LeftColumn, RateColumn
from porter.cli.result_table import result_rows
from porter.records.choice import Choice
from porter.records.record import RunRecord
from porter.runfolder.record_file import read_record

Porter = Callable[..., Ended]
ONE = str(Path(__file__).with_name("one_file.py"))
QUICK = ("--batch-sizes", "1,4", "--bench-seconds", "0")
DOCUMENTS = "README.md, README.zh.md, reproduce.sh, report.html"


def command(folder: Path, *more: str) -> list[str]:
    data = ["--data", str(folder / "val"), "--labels", str(folder / "labels.txt")]
    return ["run", "one", "--plugin", ONE, *data, *QUICK, "--out", str(folder / "out"), *more]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_photos(tmp_path / "val", [0, 1, 2] * 4)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("console")
    write_photos(folder / "val", [0, 1, 2] * 4)
    assert porter(*command(folder)).returncode == 0
    return folder


@pytest.fixture
def here(capfd: pytest.CaptureFixture[str]) -> Porter:
    """The command line in this process: importing PyTorch anew takes longer than a run."""
    return lambda *arguments: command_line(shlex.join(arguments), capfd.readouterr)


def test_porter_is_a_module_as_well(tmp_path: Path) -> None:
    def module(*arguments: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "porter", *arguments]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    shown = module("run", "--help")
    assert shown.returncode == 0 and shown.stdout.startswith("Usage: porter run ")
    wrong = module("rnu")
    assert (wrong.returncode, wrong.stdout) == (2, "") and wrong.stderr.startswith("porter: error: no such command")
    assert module("run", "hrnet", "--runtime", "abacus").returncode == 3


def test_a_run_on_a_terminal_ends_with_one_coloured_table(photos: Path) -> None:
    shown = on_terminal(*command(photos))
    assert shown.code == 0
    verdicts, _, after = shown.text.partition("artefact ")
    assert "PASS     Accuracy" in verdicts and "images/s, median" not in shown.text
    head, _rule, row, *rest = [line.strip() for line in after.splitlines() if line.strip()]
    assert head.split("  ")[0] == "accuracy" and "best images/s" in head
    cells = [cell for cell in row.split("   ") if cell]
    assert cells[0] == "onnxruntime-fp32" and cells[1].startswith("Top-1 100.00%")
    assert " at batch " in row and row.endswith(" MiB") and " pass " in row
    assert "\x1b[32m" in shown.raw, "a row that passes is green"
    assert rest[0].startswith("Record: ")
    assert "evaluate reference" in verdicts and " images/s" in verdicts and "12/12" in verdicts


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_who_wants_no_colours_gets_lines(finished: Path, environment: dict[str, str]) -> None:
    shown = on_terminal(*command(finished), **environment)
    assert shown.code == 0 and "\x1b" not in shown.raw
    assert "onnxruntime-fp32 at batch 4: " in shown.text and "best images/s" not in shown.text


def test_json_is_the_same_on_a_terminal(finished: Path) -> None:
    shown = on_terminal(*command(finished, "--json"))
    document = json.loads(shown.text[shown.text.index('{"out"') :])
    assert document["exit_code"] == shown.code == 0


def test_a_pipe_gets_lines(finished: Path) -> None:
    done = porter(*command(finished))
    assert "onnxruntime-fp32 at batch 1: " in done.stdout and "best images/s" not in done.stdout
    assert done.stdout.index("PASS     Accuracy") < done.stdout.index("Record: ")


def test_a_row_says_what_speaks_against_an_artefact(finished: Path) -> None:
    record = read_record(finished / "out")
    [row] = result_rows(record)
    assert row.cells[2:4] == ("0.00 (limit 1.00)", "pass") and row.style == "green"
    [parity], (reference, scored) = record.parity, record.evaluations
    failing = replace(record, parity=(replace(parity, passed=False),), comparisons=())
    assert _verdict(failing) == ("fail: parity", "red")
    lost = tuple(replace(one, passed=False) for one in record.comparisons)
    assert _verdict(replace(record, comparisons=lost)) == ("fail: accuracy", "red")
    guessed = replace(scored, chance="no better than guessing")
    assert _verdict(replace(record, evaluations=(reference, guessed)))[0] == "fail: accuracy"
    unscored = replace(record, evaluations=(), comparisons=(), performance=())
    [row] = result_rows(unscored)
    assert row.cells[1:5] == ("not measured", "–", "not scored", "not measured") and row.style == "yellow"
    choice = Choice(baseline="", allowed=1, candidates=(), chosen=row.cells[0], reason="", measured="")
    [row] = result_rows(replace(record, choice=choice))
    assert row.cells[0] == "onnxruntime-fp32 (chosen)" and row.style == "bold green"


def _verdict(record: RunRecord) -> tuple[str, str]:
    [row] = result_rows(record)
    return row.cells[3], row.style


def test_progress_says_how_fast_and_how_much_is_left() -> None:
    """By a clock of the test's own."""
    now = [0.0]
    console = Console(file=io.StringIO(), width=100)
    columns = (TextColumn("{task.description}"), RateColumn(), LeftColumn())
    bars = Progress(*columns, console=console, auto_refresh=False, get_time=lambda: now[0])
    with bars:
        counted = bars.add_task("evaluate", total=100, unit="images", counted=True)
        bars.add_task("build", total=None, unit="images", counted=False)
        for _ in range(4):
            now[0] += 1
            bars.advance(counted, 20)
        with console.capture() as shown:
            console.print(bars.get_renderable())
        assert [line.split() for line in shown.get().splitlines()] == [
            ["evaluate", "20.0", "images/s", "20", "left"],
            ["build"],
        ]


def test_a_stage_alone_prints_what_it_found(photos: Path, here: Porter) -> None:
    again = ["--plugin", ONE, "--out", str(photos / "out")]
    data = ["--data", str(photos / "val"), "--labels", str(photos / "labels.txt")]
    lines = {
        "export": "PASS     Weights loaded",
        "verify": "PASS     Model parity",
        "evaluate": "Top-1 100.00 percent",
        "bench": "onnxruntime-fp32 at batch 1: ",
        "infer": "outputs/onnxruntime-fp32: 12 images",
        "preprocess": "tensors/: 12 of 12 images, 0 not readable",
    }
    for stage, line in lines.items():
        more = {"export": ["one"], "verify": data, "bench": QUICK}.get(stage, [])
        done = here(stage, *more, *again)
        assert done.code == 0 and line in done.out, (stage, done.out, done.err)
        assert done.out.endswith(f"{stage}: done, {photos / 'out'}/run.json\n")
    assert "PASS     Accuracy" in here("evaluate", *again).out


def test_what_other_options_cost_is_said(photos: Path, here: Porter) -> None:
    assert here(*command(photos)).code == 0
    out = photos / "out"
    done = here("bench", "--threads", "1", "--streams", "1", "--plugin", ONE, "--out", str(out))
    assert done.code == 0, done.err
    notes = [line for line in done.err.splitlines() if line.startswith("note: ")]
    assert notes == [
        "note: --threads, --streams changed; cleared parity, evaluations, comparisons, performance",
        f"note: removed {DOCUMENTS}: they belong to an earlier record; `porter report {out}` writes them again",
        "note: removed predictions.csv, result.json: they belong to an outdated evaluation",
    ]
    again = here("bench", "--plugin", ONE, "--out", str(out))
    assert "removed" not in again.err and "cleared" not in again.err, "nothing was there to remove"
    exported = here("export", "--plugin", ONE, "--out", str(out))
    assert (
        "note: cleared artefacts, data, preprocessing, performance: they are older than this export\n" in exported.err
    )


def test_what_fresh_removes_is_said(photos: Path, here: Porter) -> None:
    assert here(*command(photos)).code == 0
    (photos / "out/result.json").write_text("mine now")
    (photos / "out/.run.json.abcd1234.part").touch()
    done = here(*command(photos, "--fresh", "--lang", "en"))
    assert "note: removed models/one.onnx, predictions.csv, cache/ of the earlier run (--fresh)\n" in done.err
    assert "note: kept result.json: changed since the earlier run wrote it\n" in done.err
    part = photos / "out/.run.json.abcd1234.part"
    assert f"note: removed {part}: left incomplete by a command that was killed\n" in done.err
    assert "note: removed README.zh.md: the documents are in en only (--lang)\n" in done.err
    again = here("report", str(photos / "out"), "--lang", "zh")
    assert again.err == f"note: removed {photos / 'out/README.md'}: the documents are in zh only (--lang)\n"
