"""docs/how-to/port-a-detector.md prints what it shows; the text detector of RapidOCR finds drawn lines."""

from __future__ import annotations

import json
import runpy
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from pages import DOCS, blocks, commands, explain, write_files

from porter import main, read_record
from porter_detection.shapes import SAMPLE

PAGE = DOCS / "how-to/port-a-detector.md"
GRAPH = "ch_PP-OCRv4_det_infer.onnx"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(*words: str) -> list[tuple[str, list[str]]]:
    every = [one for block in blocks(PAGE) if block.language == "console" for one in commands(block)]
    return [one for one in every if one[0].startswith(words)]


def run(command: str, output: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(shlex.split(command)[1:])
    printed = capsys.readouterr()
    assert stopped.value.code == 0, printed.err
    steps = [line for line in printed.err.splitlines() if "note:" not in line]
    assert not explain(output, [*steps, *printed.out.splitlines()]), command


def test_a_module_is_run_and_predicts(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("images", "instances.json", "checkpoint.pth"):
        copy = shutil.copytree if (SAMPLE / name).is_dir() else shutil.copyfile
        copy(SAMPLE / name, here / name)
    steps = shown("porter run torch", "porter predict")
    assert len(steps) == 2
    for command, output in steps:
        run(command, output, capsys)


def test_the_text_detector_finds_drawn_lines(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package = find_spec("rapidocr_onnxruntime")
    if package is None or not package.submodule_search_locations:
        pytest.skip("rapidocr-onnxruntime is not installed")
    shutil.copyfile(Path(package.submodule_search_locations[0]) / "models" / GRAPH, here / GRAPH)
    runpy.run_path("make_pages.py")
    content = json.loads((here / "pages.json").read_text())
    assert len(content["images"]) == 12 and len(content["annotations"]) > 40
    ((command, output),) = shown("porter run onnx")
    run(command, output, capsys)
    reference = read_record(here / "text").evaluations[0]
    assert reference.metric("ap50").value > 95 and reference.metric("map").value > 40
    assert reference.metric("map_random").value < 1
