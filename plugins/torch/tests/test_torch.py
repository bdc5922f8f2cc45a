"""A module without a plugin, by a yaml alone."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from corpus.case import Ended
from corpus.case import porter as command_line
from tiny import write_photos

from porter import State, read_record

NETS = """
import torch

def build(width=4, classes=3):
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        torch.nn.Linear(width, classes),
    )

def nothing():
    return 3

def broken():
    raise ValueError("no such width")

def needs():
    import not_installed_at_all
"""
YAML = """
module: nets.py:build
args: {width: 4}
checkpoint: net.pth
inputs: [{name: image, shape: [N, 3, 32, 32]}]
outputs: [{name: class, shape: [N, 3]}]
names: [a, b, c]
preprocess:
  fit: letterbox
  crop: [32, 32]
  pad: [114]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import torch

    write_photos(tmp_path / "val", [0, 1, 2] * 4)
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "model.yaml").write_text(YAML)
    code: dict[str, object] = {}
    exec(NETS, code)
    torch.save(code["build"]().state_dict(), tmp_path / "net.pth")  # type: ignore[operator]
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str]) -> Ended:
    words = "run torch --config model.yaml --data val --labels labels.txt --out out --batch-sizes 1 --bench-seconds 0"
    return command_line(shlex.join(words.split()), capfd.readouterr)


def test_a_yaml_is_enough(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ended = run(capfd)
    record = read_record(place / "out")
    states = {one.name: one.state for one in record.verdicts}
    assert states["weights"] is states["parity"] is states["preprocessing"] is State.PASS, ended.err
    assert record.model is not None and record.model.variant == "model"


def test_a_module_of_a_package_beside_the_yaml(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "mine").mkdir()
    (place / "mine" / "__init__.py").write_text("")
    (place / "nets.py").rename(place / "mine" / "nets.py")
    (place / "model.yaml").write_text(YAML.replace("nets.py:build", "mine.nets:build"))
    ended = run(capfd)
    assert ended.code in (0, 1), ended.err


@pytest.mark.parametrize(
    ("right", "wrong", "says", "code"),
    [
        ("nets.py:build", "nets.py:bild", "no function or class 'bild'", 2),
        ("nets.py:build", "other.py:build", "other.py: no such file", 2),
        ("nets.py:build", "nets.py", "write package.module:function", 2),
        ("nets.py:build\nargs: {width: 4}", "nets.py:nothing", "gave int, not a torch.nn.Module", 2),
        ("nets.py:build\nargs: {width: 4}", "nets.py:broken", "ValueError: no such width", 2),
        ("nets.py:build\nargs: {width: 4}", "nets.py:needs", "not_installed_at_all, which is not installed", 3),
        ("width: 4", "height: 4", "TypeError", 2),
        ("width: 4", "width: 5", "0.weight", 2),
        ("checkpoint: net.pth", "checkpoint: no.pth", "no.pth: no such file", 2),
        ("fit: letterbox", "fitt: letterbox", "preprocess.fitt: unknown key.*Did you mean 'fit'", 2),
        ("fit: letterbox", "fit: stretch", "preprocess.fit", 2),
        ("pad: [114]", "pad: [300]", "preprocess.pad", 2),
        ("  crop: [32, 32]\n", "", "preprocess.crop", 2),
        ("crop: [32, 32]", "crop: 32", "line 10: preprocess.crop: 1 values, expected 2", 2),
        ("crop: [32, 32]", "crop: [32, wide]", r"preprocess.crop\[1\]: a whole number is needed, found 'wide'", 2),
        ("inputs: [{name: image, shape: [N, 3, 32, 32]}]\n", "", "inputs", 2),
    ],
)
def test_what_is_wrong_is_named(
    right: str, wrong: str, says: str, code: int, place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import re

    assert right in YAML
    (place / "model.yaml").write_text(YAML.replace(right, wrong))
    ended = run(capfd)
    assert ended.code == code
    assert re.search(says, ended.error), ended.error
