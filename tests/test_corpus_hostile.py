"""Hostile input that one command's answer does not show: what documents hold, what runs, how much memory it takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from corpus import good
from corpus.case import CANARY, Ended, porter
from corpus.checkpoints import Touch
from corpus.configs import HRNET_RUN, ODD_BUT_RIGHT, ONNX
from corpus.images import image

from porter.data.store import open_store
from porter.errors import BadInput
from porter.files.hashes import file_digest
from porter.files.limits import BYTES
from porter.files.received import TooLarge
from porter.runfolder.record_file import read_record

QUICK = "--batch-sizes 1 --bench-seconds 0 --threads 1"
Porter = Callable[[str], Ended]
DOCUMENTS = (".md", ".html", ".sh", ".svg")


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return good.make(tmp_path_factory.mktemp("hostile") / "ground")


@pytest.fixture
def here(ground: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the good inputs, and the working folder."""
    folder = shutil.copytree(ground, tmp_path / "here")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Porter:
    return lambda line: porter(line, capfd.readouterr)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def sound(folder: Path) -> str:
    """All documents of a run as one text; no control character, direction mark or live markup of a name is in them."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in DOCUMENTS}
    assert {"README.md", "reproduce.sh"} <= texts.keys()
    for name, text in texts.items():
        assert not (set(text) & set("\x1b\x07\x00\u202e")), name
        assert "<script>alert" not in text and "<img" not in text.replace('<img src="data:', ""), name
    return "\n".join(texts.values())


NAMES = {
    "a template": "{{ 7*7 }}{% raw %}",
    "a format": "{0.__class__} {name!r} %s %(a)s",
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a link": "[click](javascript:alert(1)) ![x](http://example.com/x.png)",
    "a table": "a|b|c\n| --- |\n# heading",
    "terminal controls": "\x1b]0;owned\x07\x1b[2J\r\x08",
    "reversed text": "\u202egnp.exe",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_of_a_config_are_text_in_every_document(here: Path, command: Porter, name: str) -> None:
    quoted = json.dumps(name)  # YAML's double quotes are JSON's
    labels = f"labels: {{names: [{quoted}, b, c]}}\n"
    (here / "tiny.yaml").write_text(good.YAML + "".join(f"{key}: {quoted}\n" for key in ABOUT) + labels)
    ended = command(f"{ONNX} {QUICK}")
    assert ended.code in (0, 1), ended.err
    assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())
    text = sound(here / "out")
    readme = (here / "out/README.md").read_text()
    assert not re.search(r"(?<!\\)\]\((javascript|http)", readme.split("## Inputs")[0])
    if name.startswith("{{"):
        assert "7*7" in text.replace("\\", "")


ABOUT = ("name", "title", "description", "paper", "code", "licence")


@pytest.mark.parametrize("name", ["=cmd|'calc'!A1.png", "-2+3.png", "+1.png", "@sum.png"])
def test_an_image_is_no_formula_in_a_table(here: Path, command: Porter, name: str) -> None:
    image(here / "val" / name)
    with (here / "labels.txt").open("a") as stream:
        stream.write(f"{name} 0\n")
    assert command(f"{ONNX} {QUICK}").code in (0, 1)
    cells = [line.split(",")[0].strip('"') for line in (here / "out/predictions.csv").read_text().splitlines()]
    assert f"./{name}" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    # A label file made from the table matches the image again.
    (here / "labels.txt").write_text("".join(f"{cell} 0\n" for cell in dict.fromkeys(cells[1:])))
    assert command("preprocess onnx --config tiny.yaml --data val --labels labels.txt --out again").code == 0


def test_shell_words_in_file_names_are_words(here: Path, command: Porter) -> None:
    odd = "val $(touch canary) `touch canary`'; touch canary; \"&|"
    shutil.move(here / "val", here / odd)
    shutil.move(here / "labels.txt", here / f"{odd}.txt")
    line = " ".join(["run onnx --config tiny.yaml --out out", QUICK])
    ended = command(f"{line} --data {_quoted(odd)} --labels {_quoted(odd + '.txt')}")
    assert ended.code in (0, 1), ended.err
    again = reproduced(here, odd, f"{odd}.txt")
    assert again.returncode in (0, 1), again.stderr
    assert (here / "new/README.md").exists() and not (here / CANARY).exists()


def test_a_script_made_from_a_forged_record_runs_nothing_of_it(here: Path, command: Porter) -> None:
    assert command(f"{ONNX} {QUICK}").code == 0
    evil = "\"'; touch canary; $(touch canary) `touch canary`\ntouch canary #"

    def forge(record: dict[str, Any]) -> None:
        record["request"].update(data=evil, labels=evil, provider=evil, runtimes=[evil], targets=[evil], options=[evil])
        record["accuracy_files"] = [evil]
        record["command"] = f"```\n<script>alert(1)</script>\n{evil}"
        for entry in record["inputs"]:
            entry.update(shipped=False, path=evil, sha256=evil)

    edit(here / "out/run.json", forge)
    assert command("report out").code == 0
    assert subprocess.run(["sh", "-n", "out/reproduce.sh"], check=False).returncode == 0
    assert reproduced(here, "val", "labels.txt").returncode == 2
    assert not list(here.rglob(CANARY))


def reproduced(folder: Path, data: str, labels: str) -> subprocess.CompletedProcess[str]:
    """out/reproduce.sh, run with this interpreter's porter."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    given = {**os.environ, "PATH": path, "CONFIG": "tiny.yaml", "DATA": data, "LABELS": labels}
    command = ["sh", "out/reproduce.sh", "new"]
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


FORGED = (
    "verify --out out",
    "infer --out out",
    "evaluate --out out",
    f"bench --out out {QUICK.removesuffix(' --threads 1')}",
    "preprocess --out out",
    "export --out out",
    "diagnose run out",
    "report out",
    "run hrnet --config hrnet.yaml --checkpoint hrnet.pth --data val --labels labels.txt --out out",
    "diagnose tensors --tensors out --out out",
)


@pytest.fixture(scope="module")
def forged(ground: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of hrnet as somebody might send it: a checkpoint that runs code, in a record that says it is trusted."""
    folder = shutil.copytree(ground, tmp_path_factory.mktemp("forged") / "here")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert porter(f"{HRNET_RUN} {QUICK}", lambda: ("", "")).code in (0, 1)
    state = torch.load(folder / "hrnet.pth", weights_only=True)
    torch.save({**state, "extra": Touch()}, folder / "hrnet.pth")
    digest = file_digest(folder / "hrnet.pth")

    def forge(record: dict[str, Any]) -> None:
        record["request"]["trust_checkpoint"] = True
        record["load"]["safe"] = False
        record["evaluations"] = []
        for entry in record["inputs"]:
            if entry["role"] == "checkpoint":
                entry["sha256"] = digest

    edit(folder / "out/run.json", forge)
    shutil.rmtree(folder / "out/cache", ignore_errors=True)
    return folder


@pytest.mark.parametrize("line", FORGED)
def test_a_record_cannot_grant_trust(
    forged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Porter, line: str
) -> None:
    here = shutil.copytree(forged, tmp_path / "here")
    monkeypatch.chdir(here)
    ended = command(line)
    assert ended.code in (0, 1, 2), ended.err
    assert not (here / CANARY).exists()


def test_the_forged_checkpoint_would_run(
    forged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Porter
) -> None:
    here = shutil.copytree(forged, tmp_path / "here")
    monkeypatch.chdir(here)
    assert command("verify --out out --trust-checkpoint").code in (0, 1)
    assert (here / CANARY).exists()


@pytest.mark.parametrize("name", ["models", "tensors", "outputs", "cache", "models/onnx_tiny.onnx"])
def test_a_link_out_of_a_runs_folder_is_refused(here: Path, command: Porter, name: str) -> None:
    assert command(f"{ONNX} {QUICK}").code == 0
    (here / "elsewhere").mkdir()
    link = here / "out" / name
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.symlink_to(here / "elsewhere")
    for line in ("evaluate --out out", "preprocess --out out", f"{ONNX} {QUICK} --fresh"):
        assert "leads out of the run folder" in command(line).error
    assert list((here / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("path", ["../victim", "models/../../victim", "/victim"])
def test_a_fresh_run_removes_nothing_outside_its_folder(here: Path, command: Porter, path: str) -> None:
    assert command(f"{ONNX} {QUICK}").code == 0
    victim = here / "victim"
    victim.write_text("mine")
    outside = str(victim) if path.startswith("/") else path
    file = {"path": outside, "sha256": file_digest(victim), "size_bytes": 4, "what": "mine"}
    edit(here / "out/run.json", lambda record: record.update(files=[file]))
    command(f"{ONNX} {QUICK} --fresh")
    assert victim.read_text() == "mine"


def test_bombs_take_no_memory(tmp_path: Path) -> None:
    script = Path(__file__).parent / "corpus/bombs.py"
    done = subprocess.run([sys.executable, script, tmp_path], capture_output=True, text=True, check=True)
    grown = json.loads(done.stdout)
    assert len(grown) >= 12
    assert {name: megabytes for name, megabytes in grown.items() if megabytes > 150} == {}


def test_an_archive_of_images_cannot_expand_without_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec")
    small = {**BYTES, "image file in an archive": 1 << 20}  # the real limit takes seconds to exceed
    monkeypatch.setattr("porter.files.limits.BYTES", small)
    with zipfile.ZipFile(tmp_path / "val.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("small.png", b"\x89PNG")
        with archive.open("large.png", "w", force_zip64=True) as record:
            for _ in range(8):
                record.write(bytes(1 << 20))
    store = open_store(f"zip://::file://{tmp_path}/val.zip")
    assert store.list() == ("large.png", "small.png")
    assert store.read("small.png") == b"\x89PNG"
    with pytest.raises(TooLarge, match=r"image file in an archive: 1.05 MB is the limit"):
        store.read("large.png")


def test_a_url_that_renders_templates_of_its_data_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "refs.json").write_text('{"version": 1, "templates": {}, "gen": [], "refs": {}}')
    for url in (f"reference://::file://{tmp_path}/refs.json", "reference://a", "simplecache::reference://a"):
        with pytest.raises(BadInput, match="renders templates from the data"):
            open_store(url).list()


def test_text_that_yaml_takes_for_something_else_stays_text(here: Path, command: Porter) -> None:
    (here / "tiny.yaml").write_text(ODD_BUT_RIGHT)
    assert command("export onnx --config tiny.yaml --out out").code == 0
    model = read_record(here / "out").model
    assert model is not None
    assert (model.variant, model.licence, model.class_names) == ("0123e5", "1_000", ("on", "010", "1e3"))
    assert (model.image.resize, model.image.crop, model.image.std) == (18, (16, 16), (0.5, 0.5, 0.5))
