"""The command line: one clear line and the right exit code for each kind of mistake."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from corpus.case import porter as in_this_process

from porter.cli.group import COMMANDS
from porter.cli.options import request_from
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.runfolder.record_file import write_record


def porter(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "porter.cli.main", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["rnu"], 2, "no such command 'rnu'. Did you mean 'run'?"),
        (["run"], 2, "Missing argument 'MODEL'"),
        (["run", "no-such-model"], 2, "unknown model 'no-such-model'"),
        (["run", "hrnte"], 2, "Did you mean 'hrnet'?"),
        (["run", "hrnet", "--confg", "x"], 2, "--confg"),
        (["run", "hrnet", "--config", "nowhere.yaml", "--checkpoint", "x"], 2, "--config nowhere.yaml: no such file"),
        (["run", "hrnet", "--data", "nowhere"], 2, "--data nowhere: no such folder"),
        (["run", "hrnet", "--labels", "labels.txt"], 2, "--labels labels.txt: no such file"),
        (["run", "hrnet", "--limit", "0"], 2, "--limit"),
        (["run", "hrnet", "--limit", "many"], 2, "--limit"),
        (["run", "hrnet", "--batch-sizes", "1,,4"], 2, "is not a list of batch sizes; example: 1,4,8"),
        (["run", "hrnet", "--batch-sizes", "0"], 2, "is not a list of batch sizes; example: 1,4,8"),
        (["run", "hrnet", "--max-drop", "-1"], 2, "--max-drop"),
        (["run", "hrnet", "--max-drop", "inf"], 2, "'inf' is not a finite number"),
        (["run", "hrnet", "--atol", "nan"], 2, "'nan' is not a finite number"),
        (["run", "hrnet", "--rtol", "1e999"], 2, "'1e999' is not a finite number"),
        (["run", "hrnet", "--runtime", "abacus"], 3, "unknown runtime 'abacus'"),
        (["run", "hrnet", "--provider", "Abacus"], 3, "provider 'Abacus'"),
        (["run", "hrnet", "--precision", "fp16"], 2, "onnxruntime has no fp16 on this machine"),
        (["verify", "--out", "empty"], 2, "no run found. Name a MODEL"),
        (["report", "empty"], 2, "no run record"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = in_this_process(shlex.join(arguments), capfd.readouterr)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("porter: error: ") and ended.err.count("\n") == 1
    assert message in ended.err
    assert list(tmp_path.iterdir()) == [], "a mistake must leave nothing behind"


def test_no_name_can_forge_the_terminal(tmp_path: Path) -> None:
    done = porter("run", "evil\x1b[2Jname\nporter: all fine", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr and done.stderr.count("\n") == 1


def test_every_command_has_help(capfd: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        ended = in_this_process(f"{command} --help", capfd.readouterr)
        assert ended.code == 0 and ended.out.startswith(f"Usage: porter {command} ")


def test_doctor_names_the_runtime_and_its_precisions() -> None:
    document = json.loads(porter("doctor", "--json").stdout)
    assert document["runtimes"]["onnxruntime"]["available"] is True
    assert "fp32" in document["runtimes"]["onnxruntime"]["precisions"]
    assert document["machine"]["threads"] >= 1


def test_a_reader_that_goes_away_hears_of_no_bug() -> None:
    """`porter … | head`: the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "porter.cli.main", "plugins"]
    process = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (process.returncode, process.stderr) == (1, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_in_one_line_and_leaves_no_half_file(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    pytest.importorskip("porter_hrnet")
    command = [sys.executable, "-m", "porter.cli.main", "run", "hrnet", "--fresh", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not list(tmp_path.glob(".predictions.csv.*.part")):
        time.sleep(0.01)
    process.send_signal(number)
    _, stderr = process.communicate()
    assert process.returncode == code
    again = shlex.join(["porter", *(part for part in command[3:] if part != "--fresh")])
    assert stderr.endswith(f"porter: interrupted. Resume with: {again}\n") and "Traceback" not in stderr
    assert list(tmp_path.rglob("*.part")) == []


def test_trust_is_given_with_each_command_and_for_one_checkpoint(tmp_path: Path) -> None:
    known = RunRequest(model="m", checkpoint="mine.pth", trust_checkpoint=True, weights="ema", opset=13)
    write_record(tmp_path, RunRecord(porter="0", created="", command="", request=known))
    assert not request_from(None, tmp_path, {"opset": 12}, fresh=False).trust_checkpoint
    another = request_from(None, tmp_path, {"checkpoint": "theirs.pth"}, fresh=False)
    assert (another.trust_checkpoint, another.weights, another.opset) == (False, None, 13)
    again = request_from(None, tmp_path, {"checkpoint": "theirs.pth", "trust_checkpoint": True}, fresh=False)
    assert again.trust_checkpoint


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m porter.cli.main doctor {closed}"
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=False).returncode == 0


def test_labels_of_other_images_do_not_carry_over(tmp_path: Path) -> None:
    request = RunRequest(model="tiny", data="a", labels="a.txt", limit=3)
    write_record(tmp_path, RunRecord(porter="0", created="", command="", request=request))
    found = request_from(None, tmp_path, {"data": "b", "labels": None}, fresh=False)
    assert (found.data, found.labels, found.limit) == ("b", None, None)
    kept = request_from(None, tmp_path, {"limit": 5}, fresh=False)
    assert (kept.data, kept.labels, kept.limit) == ("a", "a.txt", 5)
