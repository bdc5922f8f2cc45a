"""`porter predict` and `Predictor`: a delivered artefact answers as it did in the run, from its folder alone."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import porter as command
from PIL import Image
from tiny import SPEC, TinyPlugin, start, write_photos

import porter
from porter.errors import BadInput, ExitCode, ImageError, Missing
from porter.hosting.manager import create_registry
from porter.predicting.delivered import open_delivered
from porter.predicting.predictor import Predictor
from porter.runfolder.record_file import read_record

IDS = ("onnxruntime-fp32", "onnxruntime-int8", "openvino-fp32", "openvino-int8")
SAMPLE = Path(__file__).resolve().parents[1] / "plugins/hrnet/src/porter_hrnet/sample/val"
PHOTOS = sorted(SAMPLE.glob("*.jpg"))[:12]
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "porter_hrnet"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
from porter import main
main(sys.argv[1:])
"""
"""porter where neither PyTorch nor the model's plugin can be imported."""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the shipped model with every kind of artefact, in a folder that was moved."""
    folder = tmp_path_factory.mktemp("delivered")
    options = {"runtimes": ["onnxruntime", "openvino"], "precisions": ["fp32", "int8"]}
    result = porter.run("hrnet", out=folder / "out", batch_sizes=1, bench_seconds=0, progress=False, **options)
    assert result.artefacts == list(IDS)
    return (folder / "out").rename(folder / "received")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    start(folder / "out", folder / "val", write_photos(folder / "val", [0, 1, 2] * 10), batch_sizes=(1,)).everything()
    return folder / "out"


def changed(tiny: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy whose record somebody edited."""
    shutil.copytree(tiny, folder)
    record = json.loads((folder / "run.json").read_text())
    change(record)
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def opened(folder: Path, *plugins: tuple[str, object], **how: Any) -> Predictor:
    return open_delivered(folder, read_record(folder), create_registry(plugins), **how)


def without(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", BLOCKED, *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("artefact", IDS)
def test_an_artefact_answers_as_it_did_in_the_run(delivered: Path, artefact: str) -> None:
    """The answers of predictions.csv, by path, by bytes and by pixels."""
    with (delivered / "predictions.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["image"]: row for row in csv.DictReader(stream) if row["evaluation"] == artefact}
    with porter.load(delivered).session(artefact) as session:
        assert session.artefact.id == artefact and session.info.precision == artefact.rpartition("-")[2]
        by_path = session.predict(PHOTOS)
        by_bytes = session.predict([path.read_bytes() for path in PHOTOS])
        by_pixels = session.predict([np.array(Image.open(path).convert("RGB")) for path in PHOTOS])
    scored = [(path, one) for path, one in zip(PHOTOS, by_path, strict=True) if path.name in rows]
    assert len(scored) > 3
    names = read_record(delivered).model.class_names  # type: ignore[union-attr]
    for path, one in scored:
        row = rows[path.name]
        assert one.sample == str(path) and [entry["class"] for entry in one.entries[:1]] == [int(row["class1"])]
        assert one.entries[0]["score"] == pytest.approx(float(row["score1"]), rel=1e-3, abs=1e-3)
        assert [entry["name"] for entry in one.entries] == [names[entry["class"]] for entry in one.entries]
    assert [one.entries for one in by_bytes] == [one.entries for one in by_path]
    assert [one.value.classes[0] for one in by_pixels] == [one.value.classes[0] for one in by_path]
    assert [one.sample for one in by_bytes[:2]] == ["sample 1", "sample 2"]


@pytest.mark.parametrize("artefact", IDS)
def test_neither_torch_nor_the_models_plugin_is_needed(delivered: Path, artefact: str) -> None:
    done = without(delivered.parent, "predict", "received", *map(str, PHOTOS[:3]), "--artefact", artefact, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["artefact"] == artefact and told["folder"] == "received" and told["prediction_version"] == 1
    with porter.load(delivered).session(artefact) as session:
        here = [list(one.entries) for one in session.predict(PHOTOS[:3])]
    there = [one["entries"] for one in told["predictions"]]
    assert [[entry["name"] for entry in one] for one in there] == [[entry["name"] for entry in one] for one in here]
    assert "hrnet" not in done.stderr
    refused = without(delivered.parent, "run", "hrnet")
    assert refused.returncode == ExitCode.BAD_INPUT, "the block holds"


def test_the_command_shows_a_table(delivered: Path) -> None:
    photo = str(PHOTOS[0])
    done = command(dict(os.environ), "predict", "received", photo, "--top", "2", cwd=delivered.parent)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["image", "class", "name", "score"] and len(rows) == 2
    assert all(row.startswith(photo) for row in rows)


def test_without_a_name_the_first_of_the_results_table_answers(delivered: Path) -> None:
    from porter.documents.results import results

    record = read_record(delivered)
    first = next(row.name for row in results(record) if row.passed and row.name in IDS)
    with porter.load(delivered).session() as session:
        assert session.artefact.id == first


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gone.jpg", "gone.jpg: no such file; the image file cannot be read"),
        (".", ".: a folder; the image file must be a file"),
        ("words.jpg", "words.jpg: not an image that porter reads"),
        ("empty.jpg", "empty.jpg: "),
        ("pipe.jpg", "pipe.jpg: not a regular file"),
    ],
)
def test_what_is_no_image_is_one_line(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.jpg").write_text("words")
    (tmp_path / "empty.jpg").touch()
    os.mkfifo(tmp_path / "pipe.jpg")
    good = str(tiny.parent / "val/photo 000.jpg")
    done = command(dict(os.environ), "predict", str(tiny), good, name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and done.stderr.startswith(f"porter: error: {line}")
    assert done.stderr.count("\n") == 1
    with opened(tiny) as session, pytest.raises((BadInput, ImageError)):
        session.predict(name)


def test_arrays_and_other_things_are_checked(tiny: Path) -> None:
    red = np.zeros((20, 24, 3), np.uint8)
    red[..., 0] = 250
    with opened(tiny) as session:
        assert session.predict(red)[0].entries[0]["name"] == "red"
        assert [one.entries[0]["name"] for one in session.predict([red, red[::-1], red[:, :, ::-1]])] == [
            *("red", "red", "blue")
        ]
        assert [one.sample for one in session.predict(np.stack([red, red]))] == ["sample 1", "sample 2"]
        assert session.predict([]) == []
        item = porter.Item(id="a box", label="", path=str(tiny.parent / "val/photo 001.jpg"))
        assert session.predict(item)[0].sample == "a box"
        for wrong in (red.astype(np.float32), red[..., :2], np.zeros((0, 4, 3), np.uint8)):
            with pytest.raises(BadInput, match=r"sample 1: an array of \w+ .+; an image is uint8 H×W×3, RGB"):
                session.predict([wrong])
        for wrong in (7, [7], [None]):
            with pytest.raises(BadInput, match="is no sample"):
                session.predict(wrong)  # type: ignore[arg-type]


def test_many_images_are_answered_in_batches_and_in_order(tiny: Path) -> None:
    photos = sorted((tiny.parent / "val").glob("*.jpg"))
    with opened(tiny) as session:
        found = [one.entries[0]["name"] for one in session.predict(photos)]
    assert found == ["red", "green", "blue"] * 10


def test_a_file_that_changed_is_refused(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "out")
    path = folder / read_record(folder).artefacts[0].path
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BadInput, match=r"onnx: changed after this run built it"):
        opened(folder)
    path.unlink()
    with pytest.raises(BadInput, match=r"onnx: "):
        opened(folder)


def test_a_plugin_with_hooks_of_its_own_is_needed(tmp_path: Path) -> None:
    """And named where it is missing; with it the answers are its own."""

    class Turned(TinyPlugin):
        @porter.hookimpl
        def porter_postprocess(self, outputs: Any, spec: Any) -> Any:
            return porter.classify(-outputs["class"])

    labels = write_photos(tmp_path / "val", [0, 1, 2])
    start(tmp_path / "out", tmp_path / "val", labels, plugin=Turned(), batch_sizes=(1,)).everything()
    assert read_record(tmp_path / "out").hooks == {"tiny": ("porter_postprocess",)}
    photo = tmp_path / "val/photo 000.jpg"
    with opened(tmp_path / "out", ("tiny", Turned())) as session:
        assert session.predict(photo)[0].entries[-1]["name"] == "red"
    for plugins in ((), (("tiny", TinyPlugin()),)):
        with pytest.raises(Missing, match=r"run\.json: the model needs porter_postprocess of the plugin 'tiny', which"):
            opened(tmp_path / "out", *plugins)
    done = command(dict(os.environ), "predict", "out", str(photo), cwd=tmp_path)
    assert done.returncode == ExitCode.MISSING and done.stderr.count("\n") == 1


def test_a_helper_that_was_not_in_the_run_changes_nothing(tiny: Path) -> None:
    class Meddler:
        @porter.hookimpl
        def porter_preprocess(self, sample: Any, spec: Any) -> Any:
            return np.zeros((3, 16, 16), np.float32)

    assert read_record(tiny).hooks == {}
    with opened(tiny, ("meddler", Meddler())) as session:
        assert session.predict(tiny.parent / "val/photo 002.jpg")[0].entries[0]["name"] == "blue"


def spoil(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    *way, last = path.split(".")

    def change(record: dict[str, Any]) -> None:
        place: Any = record
        for name in way:
            place = place[int(name) if name.isdecimal() else name]
        place[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "error", "line"),
    [
        ("hooks", None, BadInput, "does not say which hooks the model needs"),
        ("hooks", {"evil\n": ["porter_read"]}, Missing, r"porter_read of the plugin 'evil'"),
        ("artefacts", [], BadInput, "this run has no artefact here"),
        ("artefacts.0.runtime", "abacus", Missing, "unknown runtime 'abacus'"),
        ("artefacts.0.precision", "int3", BadInput, "no int3 on this machine"),
        ("artefacts.0.options", {"shell": "rm"}, BadInput, "has the option shell=rm, which runtime"),
        ("artefacts.0.path", "../secret", BadInput, "leads out of the run folder"),
        ("model.task", "juggling", Missing, "unknown task 'juggling'"),
        ("model.num_classes", None, BadInput, "model.num_classes: missing"),
        ("model.preprocess.crop", [10**6, 10**6], BadInput, "model.preprocess.crop"),
        ("model.preprocess.resize", -1, BadInput, r"model\.preprocess\.resize: -1"),
        ("model.inputs", [], BadInput, "model.inputs: empty"),
    ],
)
def test_a_strangers_record_is_not_believed(
    tiny: Path, tmp_path: Path, path: str, value: object, error: type[Exception], line: str
) -> None:
    folder = changed(tiny, tmp_path / "out", spoil(path, value))
    with pytest.raises(error, match=line) as raised:
        opened(folder)
    assert "\n" not in str(raised.value)


def test_what_the_record_says_of_a_crop_beyond_any_image_is_refused(tiny: Path, tmp_path: Path) -> None:
    def vast(record: dict[str, Any]) -> None:
        size = [10**5, 10**5]
        record["model"]["preprocess"] |= {"crop": size, "resize": 10**5}
        record["model"]["inputs"][0]["shape"] = ["N", 3, *size]

    with pytest.raises(BadInput, match="pixels of an image: 40,000,000 is the limit"):
        opened(changed(tiny, tmp_path / "out", vast))


def test_nothing_is_written_into_the_folder(tiny: Path) -> None:
    before = sorted((path, path.stat().st_mtime_ns) for path in tiny.rglob("*"))
    with opened(tiny) as session:
        session.predict(tiny.parent / "val/photo 000.jpg")
    assert sorted((path, path.stat().st_mtime_ns) for path in tiny.rglob("*")) == before


def test_a_task_without_words_of_its_own_shows_its_columns() -> None:
    class Plain(porter.Classification):
        entries = porter.Task.entries

    [entry] = Plain().entries(porter.Classified((2, 0), (0.75, 0.25)), SPEC)
    assert entry["class1"] == "2" and entry["score2"] == "0.25" and tuple(entry) == porter.Classification.columns
