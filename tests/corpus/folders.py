"""Folders that came back from an Ascend host, and one that is to show its cache."""

from __future__ import annotations

import json
import os
from pathlib import Path

from corpus.case import Case, Content
from corpus.checkpoints import numpy_objects

IMPORT = "import ascend back --model onnx --config tiny.yaml --labels labels.txt --out new"
SCORES = {"title": "a", "value": [{"key": "Number of images", "value": "9"}, {"key": "Top1 accuracy", "value": "90%"}]}


def _back(name: str, content: Content) -> dict[str, Content]:
    return {f"back/{name}": content}


def _scores(values: dict[str, str]) -> str:
    entries = [*SCORES["value"], *({"key": key, "value": value} for key, value in values.items())]
    return json.dumps({"value": [entry for entry in entries if isinstance(entry, dict)]})


def _zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


NOTHING = "back: (nothing|no |holds)"
CASES = [
    Case(name="import: absent", command=IMPORT, says="back: no such folder"),
    Case(name="import: a file", command=IMPORT, says="back: a file, not a folder", files={"back": "x"}),
    Case(name="import: nothing of use", command=IMPORT, says=NOTHING, files=_back("notes.txt", "none")),
    Case(name="import: pipes", command=IMPORT, says=NOTHING, files=_back("a.log", os.mkfifo)),
    Case(name="import: a pipe for an output", command=IMPORT, says=NOTHING, files=_back("0_0.txt", os.mkfifo)),
    Case(name="import: a device for an output", command=IMPORT, says=NOTHING, files=_back("0_0.bin", _zero)),
    Case(
        name="import: code in an output",
        command=IMPORT.replace("new", "out"),
        says="Object arrays cannot be loaded when allow_pickle=False",
        files=_back("0_0.npy", numpy_objects),
        code=1,
        leaves=("run.json", "README.md"),
    ),
    Case(name="import: a broken report", command=IMPORT, says="perf_vision", files=_back("perf_vision_a.txt", "[e2e")),
    Case(name="import: deep JSON", command=IMPORT, says="result.json", files=_back("result.json", "[" * 100_000)),
    Case(
        name="import: no percentage",
        command=IMPORT,
        says="result.json",
        files=_back("result.json", _scores({"Top2 accuracy": "x"})),
    ),
    Case(name="cache: no run", command="cache val", says="val"),
]
