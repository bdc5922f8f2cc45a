"""`porter import RUNTIME FOLDER`: what any runtime takes back becomes a record and documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from elsewhere import Elsewhere, plugin
from tiny import TinyPlugin, start, write_photos

from porter.cli.main import main
from porter.cli.run_summary import summary_lines
from porter.contracts.progress import Progress
from porter.contracts.returned import Returned
from porter.contracts.runtime import TakeBackRequest
from porter.documents.languages import CHINESE
from porter.errors import BadInput, ExitCode, Missing, PluginError
from porter.hosting.manager import create_registry
from porter.importing.import_request import ImportRequest
from porter.importing.import_results import import_results
from porter.records.record import RunRecord
from porter.runfolder.record_file import read_record


def imported(folder: Path, out: Path, offered: Elsewhere | None = None, **options: Any) -> RunRecord:
    registry = create_registry([("tiny", TinyPlugin()), ("elsewhere", plugin(offered or Elsewhere()))])
    request = ImportRequest(folder=folder, **{"runtime": "elsewhere", **options})
    return import_results(request, out, registry, Progress())


def told(record: RunRecord) -> list[str]:
    assert record.imported is not None
    return [f"{one.kind}: {one.text}" for one in record.imported.findings]


@pytest.fixture
def back(tmp_path: Path) -> Path:
    """Outputs in which image k is of class k mod 3, `labels.txt` beside the folder, and a speed."""
    folder = tmp_path / "back"
    (folder / "outputs").mkdir(parents=True)
    for k in range(7):
        np.save(folder / f"outputs/image{k}.npy", np.eye(3, dtype=np.float32)[k % 3])
    (folder / "speed.json").write_text('{"4": 200.0, "1": 100.0}')
    (tmp_path / "labels.txt").write_text("".join(f"image{k}.jpg {k % 3}\n" for k in range(7)))
    return folder


def test_what_a_runtime_takes_back_is_scored_and_delivered(tmp_path: Path, back: Path) -> None:
    out = tmp_path / "out"
    record = imported(back, out, labels=tmp_path / "labels.txt", devices_per_card=2, options=("elsewhere.chip=beta",))
    [evaluation] = record.evaluations
    assert (evaluation.name, evaluation.scored, evaluation.metric("top1").hits) == ("elsewhere", 7, 7)
    assert [(one.batch, one.images_per_second, one.source) for one in record.performance] == [
        (1, 100.0, "speed.json"),
        (4, 200.0, "speed.json"),
    ]
    assert record.performance[1].card is not None and record.performance[1].card.images_per_second == 400.0
    assert record.performance[0].session.provider == "beta, through stopwatch"
    assert told(record) == ["missing: nobody said how warm it was"]
    assert record.model is not None and record.model.name == "tiny"  # the files name it
    assert (out / "accuracy.txt").read_text() == "top1 100.0" and record.accuracy_files == ("accuracy.txt",)
    assert {source.path for source in record.imported.sources} == {"speed.json"} if record.imported else False
    assert record.commands["import"].startswith("porter import elsewhere ")
    assert "--option elsewhere.chip=beta" in record.commands["import"]
    assert read_record(out) == record


def test_what_is_stated_is_compared_with_the_outputs(tmp_path: Path, back: Path) -> None:
    (back / "accuracy.json").write_text('{"top1": 99.96, "top2": 90.0}')
    record = imported(back, tmp_path / "out", labels=tmp_path / "labels.txt")
    assert told(record)[1:] == [
        "inconsistent: `accuracy.json` states Top-2 90.00%, the predictions of elsewhere give 100.00%"
    ]
    for path in (back / "outputs").iterdir():
        path.unlink()
    (back / "outputs").rmdir()
    record = imported(back, tmp_path / "stated", batch_sizes=(1, 8))
    [evaluation] = record.evaluations
    assert (evaluation.listed, evaluation.scored, evaluation.metric("top1").value) == (7, None, 99.96)
    assert "missing: no report gives the speed at batch 8" in told(record)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros(4, np.float32), "output `class` has 4 per image, should have 3"),
        (np.zeros((1, 3), np.float32), "output `class` has 1×3 per image, should have 3"),
        (None, "image3.npy: no such file"),
    ],
)
def test_an_output_that_does_not_fit_is_no_answer(
    tmp_path: Path, back: Path, array: np.ndarray | None, reason: str
) -> None:
    if array is None:
        (back / "outputs/image3.npy").unlink()
    else:
        np.save(back / "outputs/image3.npy", array)
    record = imported(back, tmp_path / "out", labels=tmp_path / "labels.txt")
    [evaluation] = record.evaluations
    assert (evaluation.scored, evaluation.unreadable) == (6, 1)
    [line] = [line for line in summary_lines(tmp_path / "out", record) if line.startswith("NO ANSWER ")]
    assert line.startswith("NO ANSWER 1 of 7 images have no answer and count as wrong: ")
    assert line.endswith(f"{reason} (image3.jpg)")
    assert evaluation.failures[0].reason.endswith(reason)


def test_only_runtimes_that_take_results_back_can_be_named(tmp_path: Path, back: Path) -> None:
    with pytest.raises(Missing, match=r"'elsewher'. Did you mean .*; runtimes that import results: elsewhere$"):
        imported(back, tmp_path / "out", runtime="elsewher")
    with pytest.raises(
        BadInput, match=r"^runtime onnxruntime cannot import results; runtimes that import results: else"
    ):
        imported(back, tmp_path / "out", runtime="onnxruntime")
    assert not (tmp_path / "out").exists()


def test_the_command_names_them_on_one_line(
    tmp_path: Path, back: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for runtime, code in (("nothing", ExitCode.MISSING), ("onnxruntime", ExitCode.BAD_INPUT)):
        with pytest.raises(SystemExit) as stopped:
            main(["import", runtime, str(back), "--model", "onnx"])
        assert stopped.value.code == code
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and "runtimes that import results" in said.err


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"options": ("elsewhere.chip=gamma",)}, "chip must be one of alpha, beta"),
        ({"options": ("onnxruntime.x=1",)}, "this run does not use runtime 'onnxruntime'"),
        ({"model": "tinny"}, r"unknown model 'tinny'\. Did you mean 'tiny'"),
        ({"model": "tiny", "variant": "big"}, "--variant big: model 'tiny' has tiny"),
        ({}, "outputs: predictions found, but no labels. Use --labels FILE"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, back: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        imported(back, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


class Careless(Elsewhere):
    def take_back(self, request: TakeBackRequest) -> Returned:
        raise KeyError("batch")


class Wrong(Elsewhere):
    def take_back(self, request: TakeBackRequest) -> Returned:
        return {}  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("runtime", "reason"),
    [
        (Careless(), r"plugin 'elsewhere': take_back\(\) of runtime 'elsewhere'"),
        (Wrong(), r"take_back\(\) of runtime 'elsewhere' returned dict, must return Returned"),
    ],
)
def test_a_fault_names_plugin_and_method(tmp_path: Path, back: Path, runtime: Elsewhere, reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        imported(back, tmp_path / "out", runtime)


def test_sentences_of_a_runtime_s_plugin_are_said_in_chinese(
    tmp_path: Path, back: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = Elsewhere()
    runtime.templates = tmp_path / "templates"
    (runtime.templates / "languages").mkdir(parents=True)
    catalogue = {"nobody said how warm it was": "未注明温度", "rates are those of a warm room": "数据在常温下测得"}
    (runtime.templates / f"languages/{CHINESE}.yaml").write_text(json.dumps(catalogue, ensure_ascii=False), "utf-8")
    record = imported(back, tmp_path / "out", runtime, labels=tmp_path / "labels.txt")
    assert record.templates == ("elsewhere",)
    document = (tmp_path / "out/README.zh.md").read_text("utf-8")
    assert "未注明温度" in document and "数据在常温下测得" in document
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "out")])  # here the plugin is not installed
    assert "templates of the plugin 'elsewhere', which is not installed" in capsys.readouterr().err
    assert "nobody said how warm it was" in (tmp_path / "out/README.zh.md").read_text("utf-8")


# --- a kit and back --------------------------------------------------------------------------------------------------


def test_a_kit_is_scored_without_the_images(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2, 0])
    (tmp_path / "val/photo 002.jpg").write_bytes(b"")
    options = {"runtimes": ("elsewhere",), "options": ("elsewhere.chip=beta",), "max_drop": 50.0}
    run = start(tmp_path / "out", tmp_path / "val", labels, beside=[("elsewhere", plugin(Elsewhere()))], **options)
    run.everything()
    [kit] = run.record.kits
    assert (kit.target, kit.images) == ("beta", 3)
    back = tmp_path / "out" / kit.path
    (back / "outputs").mkdir()
    for path in (back / "inputs").iterdir():  # the other machine: the class is the strongest channel
        np.save(back / "outputs" / path.name, np.load(path).mean(axis=(1, 2)).astype(np.float32))
    record = imported(back, tmp_path / "imported")
    [evaluation] = record.evaluations
    assert (evaluation.listed, evaluation.scored, evaluation.unreadable) == (4, 3, 1)
    assert evaluation.metric("top1").hits == 3
    assert "missing: no report gives the speed at batch 1" in told(record)


# --- the accuracy in a runtime's own format --------------------------------------------------------------------------


class Failing(Elsewhere):
    def documents(self, *_: Any) -> dict[str, bytes]:
        raise ValueError("no such thing")


class Straying(Elsewhere):
    def documents(self, *_: Any) -> dict[str, bytes]:
        return {"../run.json": b""}


def test_a_run_that_does_not_use_a_runtime_has_its_file_of_the_accuracy_as_well(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    run = start(tmp_path / "out", tmp_path / "val", labels, beside=[("elsewhere", plugin(Elsewhere()))])
    assert run.everything() is ExitCode.OK
    assert (tmp_path / "out/accuracy.txt").read_text() == "top1 100.0"
    assert "accuracy.txt" in {file.path for file in run.record.files}
    assert "accuracy.txt" in (tmp_path / "out/README.md").read_text()
    run = start(tmp_path / "out", tmp_path / "val", labels, limit=2, fresh=False)  # the plugin is gone
    run.export()
    assert not (tmp_path / "out/predictions.csv").exists()


@pytest.mark.parametrize("runtime", [Failing(), Straying()])
def test_one_that_fails_at_it_costs_the_run_nothing(tmp_path: Path, runtime: Elsewhere) -> None:
    class Notes(Progress):
        said: list[str] = []  # noqa: RUF012 - of this test alone

        def note(self, text: str) -> None:
            self.said.append(text)

    labels = write_photos(tmp_path / "val", [0, 1, 2] * 4)
    run = start(tmp_path / "out", tmp_path / "val", labels, progress=Notes(), beside=[("elsewhere", plugin(runtime))])
    assert run.everything() is ExitCode.OK and "accuracy.txt" not in run.record.accuracy_files
    [note] = [text for text in Notes.said if "documents()" in text]
    assert "runtime 'elsewhere'" in note
