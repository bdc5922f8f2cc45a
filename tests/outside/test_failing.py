"""A target whose runtime fails, fails alone: one line each, nothing lost, the others delivered."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tiny import TinyPlugin, write_photos
from wild import WildPlugin

from porter.cli.run_summary import summary_json, summary_lines
from porter.contracts.progress import Progress
from porter.errors import ExitCode, TargetFailed
from porter.hosting.manager import create_registry
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.records.record import State
from porter.records.request import RunRequest
from porter.worker.process import Worker

LABELS = [0, 1, 2] * 4
SCORING, TIMING = 10, 14
"""The call of a session that no comparison and no check of it reaches: the evaluation's last batch; and a later one."""


@pytest.fixture
def photos(tmp_path: Path) -> dict[str, str]:
    labels = write_photos(tmp_path / "val", LABELS)
    return {"data": str(tmp_path / "val"), "labels": str(labels)}


def begun(out: Path, photos: dict[str, str], *options: str, fresh: bool = False, **more: Any) -> Run:
    settings: dict[str, Any] = {"runtimes": ("wild", "onnxruntime"), "batch_sizes": (1,), "batch": 2, **more}
    request = RunRequest(
        model="tiny",
        bench_seconds=0.0,
        threads=1,
        options=tuple(f"wild.{one}" for one in options),
        **settings,
        **photos,
    )
    registry = create_registry([("tiny", TinyPlugin()), ("wild", WildPlugin())])
    return begin(out, request, registry, Progress(), "porter run tiny", fresh=fresh)


SAYS = {
    "kill": "killed (SIGKILL) in {function}()",
    "sleep": "{function}() gave no answer in ",
    "memory": "{function}() ran out of memory",
    "raise": "{function}() of wild_inside.py raised ValueError: the wheel fell off (wild_inside.py:",
    "exit": "its process ended in {function}(), by exit code 7",
}


call = Worker.call


def impatient(worker: Worker, name: str, *arguments: object, **how: Any) -> Any:
    """As ever, but a batch may take two seconds. Whatever starts a process may take long on a busy machine."""
    if name == "run":
        worker._patience = 2.0
    return call(worker, name, *arguments, **how)


@pytest.mark.parametrize(
    ("mood", "at", "nth", "what"),
    [
        ("kill", "run", SCORING, "NOT SCORED"),
        ("sleep", "run", SCORING, "NOT SCORED"),
        ("raise", "run", SCORING, "NOT SCORED"),
        ("memory", "run", 1, "NOT VERIFIED"),
        ("exit", "open", 1, "NOT VERIFIED"),
        ("exit", "build", 1, "NOT BUILT"),
        ("kill", "run", TIMING, "NOT MEASURED"),
    ],
)
def test_one_line_each_and_the_others_delivered(
    mood: str,
    at: str,
    nth: int,
    what: str,
    tmp_path: Path,
    photos: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if mood == "sleep":
        monkeypatch.setattr(Worker, "call", impatient)
    out = tmp_path / "out"
    run = begun(out, photos, f"mood={mood}", f"at={at}", f"nth={nth}")
    assert run.everything() is ExitCode.VERDICT_FAILED
    lines = summary_lines(out, run.record)
    [line] = [line for line in lines if line.startswith("NOT ")]
    assert line.startswith(f"{what} wild-fp32: runtime wild: ") and SAYS[mood].format(function=at) in line
    assert mood == "raise" or f"about to {mood}" in line  # the end of the log
    record = run.record
    scored = ["reference", "onnxruntime-fp32"] + (["wild-fp32"] if what == "NOT MEASURED" else [])
    assert sorted(one.name for one in record.evaluations) == sorted(scored)
    assert {one.artefact for one in record.performance} == {"onnxruntime-fp32"}
    rows = list(csv.DictReader((out / "predictions.csv").open(encoding="utf-8")))
    assert [row["evaluation"] for row in rows] == [one.name for one in record.evaluations for _ in LABELS]
    states = {verdict.name: verdict.state for verdict in record.verdicts}
    assert states["accuracy"] is (State.PASS if what == "NOT MEASURED" else State.FAIL)
    assert states["weights"] is states["preprocessing"] is State.PASS
    assert summary_json(out, record, 1)["unfinished"] == {"wild-fp32": record.unfinished[0].reason}
    _documents_say_it(out, scored=what == "NOT MEASURED", built=what != "NOT BUILT")


def _documents_say_it(out: Path, *, scored: bool, built: bool) -> None:
    english, chinese = ((out / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))
    report = (out / "report.html").read_text(encoding="utf-8")
    missing = "Speed of wild-fp32" if scored else "Accuracy and speed of wild-fp32"
    why, said = ("its runtime failed", "推理引擎运行失败") if built else ("it was not built", "模型转换失败")
    assert f"- {missing}: {why}." in english and said in chinese
    assert f"<li>{missing}:\n{why}.</li>" in report
    assert english.count(f"wild-fp32: not measured, {why}: runtime wild: ") == 1
    assert english.count(f"wild-fp32: not scored, {why}: runtime wild: ") == int(not scored)
    assert chinese.count(f"wild-fp32：精度未测，{said}（") == int(not scored)


def test_the_next_run_goes_on_with_it(tmp_path: Path, photos: dict[str, str]) -> None:
    out, calm = tmp_path / "out", tmp_path / "calm"
    options = ("mood=kill", f"nth={SCORING}", f"unless={calm}")
    assert begun(out, photos, *options).everything() is ExitCode.VERDICT_FAILED
    measured = json.loads((out / "run.json").read_bytes())["performance"]
    calm.touch()
    again = begun(out, photos, *options)
    assert again.everything() is ExitCode.OK
    assert again.record.unfinished == ()
    wild = again.record.evaluation("wild-fp32")
    assert wild is not None and wild.end_to_end is not None
    assert wild.end_to_end.resumed == 10 and wild.scored == len(LABELS)  # five batches were answered before
    kept = [one.measured for one in again.record.performance if one.artefact == "onnxruntime-fp32"]
    assert kept == [one["measured"] for one in measured]
    assert {one.artefact for one in again.record.performance} == {"onnxruntime-fp32", "wild-fp32"}


def test_stages_alone_say_it_and_try_again(tmp_path: Path, photos: dict[str, str]) -> None:
    out, calm = tmp_path / "out", tmp_path / "calm"
    options = ("mood=kill", f"unless={calm}")
    assert begun(out, photos, *options).export() is ExitCode.OK
    assert begun(out, photos, *options).verify() is ExitCode.VERDICT_FAILED
    assert begun(out, photos, *options).evaluate() is ExitCode.VERDICT_FAILED
    calm.touch()
    for stage in ("verify", "evaluate", "bench"):
        assert getattr(begun(out, photos, *options), stage)() is ExitCode.OK, stage
    found = json.loads((out / "run.json").read_bytes())
    assert len(found["evaluations"]) == 3 and not found["unfinished"]


def test_alone_in_a_run_it_still_leaves_the_reference(tmp_path: Path, photos: dict[str, str]) -> None:
    run = begun(tmp_path / "out", photos, "mood=kill", runtimes=("wild",))
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert [one.name for one in run.record.evaluations] == ["reference"]
    with pytest.raises(TargetFailed, match="killed"):  # nothing was built: there is nothing to deliver
        begun(tmp_path / "none", photos, "mood=kill", "at=build", runtimes=("wild",)).everything()


def test_chatter_changes_nothing(tmp_path: Path, photos: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    run = begun(tmp_path / "out", photos, "mood=chatter", "nth=2")
    assert run.everything() is ExitCode.OK
    assert run.record.unfinished == () and len(run.record.evaluations) == 3
    assert "xxxx" not in "".join(capfd.readouterr())
    assert (tmp_path / "out/logs/wild-fp32.log").stat().st_size < 1 << 20


def test_auto_leaves_it_out(tmp_path: Path, photos: dict[str, str]) -> None:
    run = begun(tmp_path / "out", photos, "mood=kill", f"nth={SCORING}", precisions=("auto",), search_seconds=0.0)
    assert run.everything() in (ExitCode.OK, ExitCode.VERDICT_FAILED)
    assert run.record.choice is not None and run.record.choice.chosen.startswith("onnxruntime")
    assert [one.artefact for one in run.record.unfinished] == ["wild-fp32"]
