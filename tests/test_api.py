"""porter from Python: `porter.run`, `porter.load` and what they give, beside the command that does the same."""

from __future__ import annotations

import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import pytest

import porter
from porter.api.option_words import words_of
from porter.errors import BadInput, ExitCode, Missing
from porter.records.request import RunRequest
from porter.runfolder.record_file import read_record

HERE = Path(__file__).resolve().parent
QUICK: dict[str, Any] = {"limit": 30, "batch_sizes": (1,), "bench_seconds": 0, "threads": 1}
TEXT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> porter.Result:
    return porter.run("hrnet", out=tmp_path_factory.mktemp("api") / "out", progress=False, **QUICK)


def test_a_run_gives_its_verdicts_and_figures(result: porter.Result) -> None:
    record = read_record(result.folder)
    assert result.record == record and result.passed and result.overall == record.overall.standing.value  # type: ignore[union-attr]
    assert [one["name"] for one in result.verdicts] == [one.name for one in record.verdicts]
    assert all(one["state"] in ("pass", "fail", "not run") and one["evidence"] for one in result.verdicts)
    assert result.artefacts == ["onnxruntime-fp32"]
    [top1] = [one for one in result.accuracy if (one["artefact"], one["metric"]) == ("onnxruntime-fp32", "top1")]
    metric = record.evaluation("onnxruntime-fp32").metric("top1")  # type: ignore[union-attr]
    assert (top1["value"], top1["images"], top1["hits"]) == (metric.value, 30, metric.hits)
    assert top1["low"] < top1["value"] < top1["high"] and (top1["drop"], top1["passed"]) == (0, True)
    [speed] = result.performance
    assert speed["images_per_second"] == record.performance[0].images_per_second and speed["threads"] == 1
    json.dumps([result.verdicts, result.accuracy, result.performance])  # plain Python
    assert repr(result) == f"<porter.Result {result.folder}: {result.overall}>"


def test_the_record_has_the_command_that_does_the_same(result: porter.Result) -> None:
    name, *words = shlex.split(result.record.command)
    assert name == "porter" and words[:2] == ["run", "hrnet"] and words[-2:] == ["--out", str(result.folder)]
    assert "--limit 30 --batch-sizes 1 --bench-seconds 0 --threads 1" in result.record.command


def test_what_was_run_is_loaded_again(result: porter.Result, tmp_path: Path) -> None:
    again = porter.load(str(result.folder))
    assert again.accuracy == result.accuracy and again.verdicts == result.verdicts
    with pytest.raises(BadInput, match=r"run\.json: no run record"):
        porter.load(tmp_path)


def test_figures_are_frames(result: porter.Result, monkeypatch: pytest.MonkeyPatch) -> None:
    pd = pytest.importorskip("pandas")
    for name, rows in (
        ("accuracy", result.accuracy),
        ("performance", result.performance),
        ("verdicts", result.verdicts),
    ):
        frame = result.frame(name)
        assert isinstance(frame, pd.DataFrame) and list(frame.columns) == list(rows[0]) and len(frame) == len(rows)
    with pytest.raises(BadInput, match=r"no figures 'acuracy'\. Did you mean 'accuracy'\?"):
        result.frame("acuracy")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(Missing, match=r"Result.frame needs pandas\. .* pip install -e '\.\[pandas\]'") as raised:
        result.frame()
    assert raised.value.exit_code == ExitCode.MISSING


def test_a_notebook_shows_the_table_and_nothing_of_the_record_is_markup(result: porter.Result, tmp_path: Path) -> None:
    shown = result._repr_html_()
    assert result.overall.upper() in shown and "<td>onnxruntime-fp32</td>" in shown and shown.count("<details>") >= 5
    folder = shutil.copytree(result.folder, tmp_path / "out")
    text = (folder / "run.json").read_text()
    state = json.loads(text)
    state["overall"]["sentences"] = [TEXT]
    state["evaluations"][0]["title"] = TEXT
    for verdict in state["verdicts"]:
        verdict |= {"title": TEXT, "evidence": [TEXT], "advice": [TEXT], "note": TEXT}
    (folder / "run.json").write_text(json.dumps(state))
    forged = porter.load(folder)._repr_html_()
    assert TEXT not in forged and "<script" not in forged and forged.count("&lt;script&gt;") > 5


def test_an_option_has_the_name_of_its_field_or_its_flag() -> None:
    assert words_of("run", {"runtime": "a"}) == words_of("run", {"runtimes": ["a"]}) == ["--runtime", "a"]
    assert words_of("run", {"precisions": ("fp32", "int8")}) == ["--precision", "fp32", "--precision", "int8"]
    assert words_of("run", {"batch_sizes": [1, 4], "lang": "en", "data": Path("val")}) == [
        *("--batch-sizes", "1,4", "--lang", "en", "--data", "val")
    ]
    assert words_of("run", {"tune": True, "trust_checkpoint": False, "limit": None}) == ["--tune"]
    assert words_of("run", {"worker_resources": {"CPU": 2, "GPU": 1}}) == ["--worker-resources", "CPU=2,GPU=1"]


def test_every_option_of_a_request_is_one_of_run() -> None:
    """But for the model, which is the first argument: there is no second list to forget one in."""
    for field in fields(RunRequest):
        if field.name != "model":
            assert words_of("run", {field.name: None}) == []


@pytest.mark.parametrize(
    ("options", "error", "line"),
    [
        ({"limt": 3}, BadInput, "porter run has no option 'limt'. Did you mean 'limit'?"),
        ({"limit": 0}, BadInput, "Invalid value for '--limit': 0 is not in the range x>=1."),
        ({"limit": 2.5}, BadInput, "Invalid value for '--limit'"),
        ({"max_drop": float("nan")}, BadInput, "Invalid value for '--max-drop'"),
        ({"tune": "yes"}, BadInput, "tune: 'yes'; it is True or False"),
        ({"batch_sizes": []}, BadInput, "Invalid value for '--batch-sizes'"),
        ({"data": "--help"}, BadInput, "--data --help: no such folder"),
        ({"config": "gone.yaml"}, BadInput, "gone.yaml"),
        ({"runtimes": ["abacus"]}, Missing, "unknown runtime 'abacus'"),
    ],
)
def test_what_is_wrong_is_the_commands_own_line(
    options: dict[str, Any], error: type[porter.PorterError], line: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as raised:
        porter.run("hrnet", out=tmp_path / "out", progress=False, **options)
    assert line in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_an_unknown_model_and_a_folder_that_is_none(tmp_path: Path) -> None:
    for model in ("hrnett", "--help", ""):
        with pytest.raises(BadInput, match="unknown model"):
            porter.run(model, out=tmp_path / "out", progress=False)
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="file"):
        porter.run("hrnet", out=tmp_path / "file", progress=False)


def test_a_plugin_in_one_file_is_used_again_by_its_result(tmp_path: Path) -> None:
    from tiny import write_photos

    labels = write_photos(tmp_path / "val", [0, 1, 2])
    done = porter.run(
        "one",
        out=tmp_path / "out",
        plugin_files=[HERE / "one_file.py"],
        data=tmp_path / "val",
        labels=labels,
        progress=False,
        batch_sizes=(1,),
        bench_seconds=0,
        threads=1,
    )
    with done.session() as session:
        assert session.predict(tmp_path / "val/photo 001.jpg")[0].entries[0]["name"] == "green"
    with pytest.raises(BadInput, match="unknown model 'one'"):
        porter.run("one", out=tmp_path / "other", progress=False)


def state() -> dict[str, Any]:
    """What a run must leave as it was."""
    import torch

    root = logging.getLogger()
    return {
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "wakeup": signal.set_wakeup_fd(-1),
        "streams": (sys.stdout, sys.stderr),
        "logging": (root.level, list(root.handlers), logging.getLogger("matplotlib").level),
        "warnings": list(warnings.filters),
        "torch": (torch.get_num_threads(), torch.is_grad_enabled()),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "folder": Path.cwd(),
    }


def test_twice_in_one_process_and_nothing_of_it_stays_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2  # noqa: F401 - it sets a variable when it is first imported
    import torch

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(sys, "argv", ["notebook", "--limit", "nonsense"])
    torch.set_num_threads(2)
    signal.set_wakeup_fd(-1)  # a command line in this process, of another test, leaves its own
    before = state()
    first = porter.run("hrnet", out=tmp_path / "out", progress=False, **QUICK)
    second = porter.run("hrnet", out=tmp_path / "out", progress=False, **QUICK)
    assert state() == before
    assert second.record.kept and second.accuracy == first.accuracy
    third = porter.run("hrnet", out=tmp_path / "out", fresh=True, progress=False, **QUICK)
    assert third.record.kept == () and third.accuracy == first.accuracy


def test_two_threads_take_turns(tmp_path: Path) -> None:
    before, found = (sys.stdout, sys.stderr), dict[int, porter.Result]()

    def work(number: int) -> None:
        found[number] = porter.run("hrnet", out=tmp_path / str(number), progress=False, **QUICK)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0].passed and found[0].accuracy == found[1].accuracy
    assert (sys.stdout, sys.stderr) == before
    with pytest.raises(BadInput, match="another porter uses this folder"), porter_in(tmp_path / "0"):
        porter.run("hrnet", out=tmp_path / "0", progress=False, **QUICK)


def porter_in(folder: Path) -> Any:
    from porter.runfolder.lock import FolderLock

    return FolderLock(folder)


CHILD = """
import sys
sys.stdin = sys.stdout = sys.stderr = None
import porter
done = porter.run("hrnet", out="out", limit=10, batch_sizes=1, bench_seconds=0, threads=1)
import torch
assert sys.stdout is None
open("said", "w").write(f"{done.overall} {torch.get_num_threads()}")
"""


def test_a_process_without_a_terminal_and_without_streams(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    plain = [sys.executable, "-c", "import torch; print(torch.get_num_threads())"]
    threads = subprocess.run(plain, capture_output=True, text=True, check=True).stdout.strip()
    overall, found = (tmp_path / "said").read_text().rsplit(" ", 1)
    assert overall in ("pass", "unproven") and found == threads, "PyTorch's threads are as it has them itself"


def test_progress_is_lines_bars_or_calls(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, int, int | None]] = []
    porter.run("hrnet", out=tmp_path / "calls", progress=lambda *told: calls.append(told), **QUICK)
    assert capfd.readouterr() == ("", "")
    reference = [told for told in calls if "reference" in told[0] and told[2] == 30]
    assert reference[0][1] == 0 and reference[-1][1] == 30
    assert [done for _, done, _ in reference] == sorted(done for _, done, _ in reference)

    class Told(porter.Progress):
        notes: ClassVar[list[str]] = []

        def note(self, text: str) -> None:
            self.notes.append(text)

    porter.run("hrnet", out=tmp_path / "calls", progress=Told(), **QUICK)
    assert any("reused" in text for text in Told.notes)
    assert capfd.readouterr() == ("", "")
    porter.run("hrnet", out=tmp_path / "lines", **QUICK)
    out, lines = capfd.readouterr()
    assert out == "" and "30 of 30" in lines


def test_a_notebook_has_bars() -> None:
    """As IPython's display gets them: every picture is of all steps, and titles are text."""
    from porter.api.shown_progress import _Bars

    class Cell:
        shown: ClassVar[list[str]] = []

        def __call__(self, data: dict[str, str], *, raw: bool, display_id: bool) -> Cell:
            return self

        def update(self, data: dict[str, str], *, raw: bool) -> None:
            self.shown.append(data["text/html"])

    cell = Cell()
    bars = _Bars(cell)
    bars.note("a <b>")
    with bars.step("reference & more", 30) as advance:
        advance(10)
        advance(20)
    assert cell.shown[-1].startswith("<div>note: a &lt;b&gt;</div><div>reference &amp; more: 30 of 30 images, ")


def test_a_verdict_that_fails_is_no_error(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    sample = HERE.parent / "plugins/hrnet/src/porter_hrnet/sample"
    lines = [line.split() for line in (sample / "val_label.txt").read_text().splitlines()[:60]]
    labels.write_text("".join(f"{name} {(int(label) + 1) % 3}\n" for name, label in lines))
    data = tmp_path / "val"
    data.mkdir()
    for name, _ in lines:
        shutil.copy(sample / "val" / name, data)
    done = porter.run(
        "hrnet", out=tmp_path / "out", data=data, labels=labels, progress=False, **QUICK | {"limit": None}
    )
    assert not done.passed and done.overall == "fail"
    assert [one["name"] for one in done.verdicts if one["state"] == "fail" and one["advice"]]
