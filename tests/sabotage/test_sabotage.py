"""Ports that somebody spoilt, and healthy ones: the first are caught and their cause is named, the others pass."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from cases import HEALTHY, SABOTAGED, Case
from rigged import TRUE_PREPROCESS

from porter import State, main, read_record

PLAIN = Path(__file__).with_name("plain")
"""Templates of documents of one line: what is asked of these runs is in the record. `diagnose run` takes no templates
and writes porter's own."""
NOTHING = re.compile(r"nothing (was |is )?found|found nothing", re.IGNORECASE)


Porter = Callable[..., tuple[int, str]]


@pytest.fixture
def porter(capsys: pytest.CaptureFixture[str]) -> Porter:
    """The command line, in this process: exit code, and all that it says."""

    def command(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return command


def command_of(case: Case, root: Path, folder: Path) -> list[str]:
    config = case.config
    if case.model == "onnx":
        declared = {key: dataclasses.asdict(TRUE_PREPROCESS)[key] for key in ("resize", "mean", "std")}
        config = {"model": str(root / "right.onnx"), "preprocess": {**json.loads(json.dumps(declared)), **case.config}}
    (folder / "case.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = ["run", case.model, "--config", str(folder / "case.yaml"), "--data", str(root / case.data)]
    if case.labels:
        command += ["--labels", str(root / case.labels)]
    if case.model == "rigged":
        command += ["--plugin", str(Path(__file__).with_name("rigged.py"))]
        command += ["--checkpoint", str(root / case.checkpoint)]
    command += ["--out", str(folder / "out"), "--lang", "en", "--bench-seconds", "0.02"]
    command += ["--template", str(PLAIN)]
    sizes = "1" if case.item in (4, 5, 6) else "1,8"  # of those no session is at fault, and each size takes its time
    for name, usual in (("--batch-sizes", sizes), ("--threads", "1")):
        command += [] if name in case.arguments else [name, usual]
    return command + [each.format(root=root) for each in case.arguments]


def diagnose(porter: Porter, case: Case, folder: Path) -> tuple[int, str]:
    plugin = () if case.model == "onnx" else ("--plugin", str(Path(__file__).with_name("rigged.py")))
    return porter("diagnose", "run", str(folder / "out"), *plugin)


@pytest.mark.parametrize("case", SABOTAGED, ids=lambda case: f"{case.item}-{case.name}")
def test_a_sabotaged_port_is_caught_and_its_cause_is_named(
    case: Case, root: Path, tmp_path: Path, porter: Porter
) -> None:
    code, said = porter(*command_of(case, root, tmp_path))
    assert code == 1, f"not caught, exit code {code}:\n{said}"
    failing = [verdict for verdict in read_record(tmp_path / "out").verdicts if verdict.state is State.FAIL]
    reasons = "\n".join(str(line) for verdict in failing for line in (*verdict.evidence, *verdict.advice))
    found, diagnosis = diagnose(porter, case, tmp_path)
    missed = []
    if not re.search(case.cause, reasons, re.IGNORECASE):
        missed.append(f"the cause {case.cause!r} is not among the reasons:\n{reasons}")
    if found != 1 or NOTHING.search(diagnosis):
        missed.append(f"diagnosis contradicts the run, exit code {found}:\n{diagnosis}")
    assert not missed, "\n".join(missed)


@pytest.mark.parametrize("case", HEALTHY, ids=lambda case: f"{case.item}-{case.name}")
def test_a_healthy_port_raises_no_alarm(case: Case, root: Path, tmp_path: Path, porter: Porter) -> None:
    code, said = porter(*command_of(case, root, tmp_path))
    assert code == 0, said
    verdicts = read_record(tmp_path / "out").verdicts
    assert not [verdict.name for verdict in verdicts if verdict.state is State.FAIL or verdict.advice], said
    found, diagnosis = diagnose(porter, case, tmp_path)
    assert found == 0, diagnosis
