"""Faults of the kinds that cost teams weeks: each ends in the right verdict, and diagnose names the cause."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from figures import unfounded
from onnx import numpy_helper
from PIL import Image as Pillow
from tiny import SIZE, TinyPlugin, start, write_photos

from porter import hookimpl
from porter.contracts.requests import Exported, Image
from porter.errors import ExitCode
from porter.images.pipeline import reference_pipeline
from porter.pipeline.run import Run
from porter.records.record import State
from porter.records.spec import ModelSpec

PARITY, PREPROCESSING, ACCURACY, WEIGHTS = "parity", "preprocessing", "accuracy", "weights"


def convolutions() -> Any:
    """The strongest channel by way of a few layers, so that a fault has a depth."""
    import torch

    torch.manual_seed(0)
    stem = torch.nn.Conv2d(3, 6, 3, padding=1)
    with torch.no_grad():
        stem.weight.zero_(), stem.bias.zero_()
        for channel in range(3):
            stem.weight[channel, channel, 1, 1] = 1.0
            stem.weight[channel + 3, channel, 0, 1] = 0.5
    head = torch.nn.Linear(6, 3)
    with torch.no_grad():
        head.bias.zero_()
        head.weight.copy_(torch.cat([torch.eye(3) * 4, torch.eye(3)], dim=1))
    return torch.nn.Sequential(
        stem,
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(2),
        torch.nn.Upsample(scale_factor=2, mode="nearest"),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        head,
    ).eval()


class Edited(TinyPlugin):
    """Exports, then edits the graph."""

    def __init__(self, edit: Callable[[onnx.ModelProto], None]) -> None:
        super().__init__(network=convolutions())
        self.edit = edit

    @hookimpl(wrapper=True)
    def porter_export(self, loaded: Any, request: Any) -> Any:
        exported: Exported = yield
        if request.path.name != "afresh.onnx":
            model = onnx.load(exported.path)
            self.edit(model)
            onnx.save(model, exported.path)
        return exported


def zero_a_weight(model: onnx.ModelProto) -> None:
    weight = next(one for one in model.graph.initializer if list(one.dims) == [6, 3, 3, 3])
    weight.CopyFrom(numpy_helper.from_array(np.zeros((6, 3, 3, 3), dtype=np.float32), weight.name))


def half_pixel(model: onnx.ModelProto) -> None:
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    for attribute in resize.attribute:
        if attribute.name == "coordinate_transformation_mode":
            attribute.s = b"align_corners"


def photos(tmp_path: Path, count: int = 24) -> tuple[Path, Path]:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(count)], size=(41, 33))
    return tmp_path / "val", labels


def states(run: Run) -> dict[str, State]:
    return {verdict.name: verdict.state for verdict in run.record.verdicts}


def evidence(run: Run, name: str) -> str:
    verdict = next(one for one in run.record.verdicts if one.name == name)
    return " ".join(map(str, (*verdict.evidence, *verdict.advice)))


@pytest.mark.parametrize(
    ("edit", "named"), [(zero_a_weight, "0.weight"), (half_pixel, "coordinate_transformation_mode")]
)
def test_an_edited_graph_fails_parity_and_is_named(tmp_path: Path, edit: Any, named: str) -> None:
    data, labels = photos(tmp_path)
    run = start(tmp_path / "out", data, labels, plugin=Edited(edit))
    code = run.everything()
    if edit is zero_a_weight:
        assert code is ExitCode.VERDICT_FAILED and states(run)[PARITY] is State.FAIL
        assert "porter diagnose" in evidence(run, PARITY)
    run.diagnose()
    found = run.record.diagnosis
    assert found is not None and not found.sound
    assert any(named in str(line) for line in found.conclusion), found.conclusion
    document = (tmp_path / "out/README.md").read_text()
    assert "## Diagnosis" in document and named in document.replace("\\_", "_")
    assert (tmp_path / "out" / found.charts[0]).read_bytes().startswith(b"<?xml")
    assert unfounded(document, json.loads((tmp_path / "out/run.json").read_text())) == []


def test_a_sound_run_is_called_sound(tmp_path: Path) -> None:
    data, labels = photos(tmp_path)
    run = start(tmp_path / "out", data, labels, plugin=TinyPlugin(network=convolutions()))
    run.everything()
    assert run.diagnose() is ExitCode.OK
    assert run.record.diagnosis is not None and run.record.diagnosis.sound
    assert [form.name for form in run.record.diagnosis.forms] == ["reference", "exported afresh", "onnxruntime-fp32"]


class Preprocessing(TinyPlugin):
    """Preprocesses in a way of its own."""

    def __init__(self, change: Callable[[np.ndarray, Any], np.ndarray]) -> None:
        super().__init__()
        self.change = change

    @hookimpl
    def porter_preprocess(self, sample: Image, spec: ModelSpec) -> np.ndarray:
        return np.ascontiguousarray(self.change(sample.pixels, spec.image), dtype=np.float32)


def opencv(pixels: np.ndarray, spec: Any) -> np.ndarray:
    import cv2

    height, width = pixels.shape[:2]
    scale = spec.resize / min(height, width)
    resized = cv2.resize(pixels, (int(width * scale), int(height * scale)), interpolation=cv2.INTER_LINEAR)
    top, left = round((resized.shape[0] - SIZE) / 2), round((resized.shape[1] - SIZE) / 2)
    crop = resized[top : top + SIZE, left : left + SIZE].astype(np.float32) / np.float32(255)
    return ((crop - np.float32(0.5)) / np.float32(0.5)).transpose(2, 0, 1)


def floor_crop(pixels: np.ndarray, spec: Any) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = spec.resize / min(height, width)
    size = (int(width * scale), int(height * scale))
    resized = np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BILINEAR))
    top, left = (resized.shape[0] - SIZE) // 2, (resized.shape[1] - SIZE) // 2
    crop = resized[top : top + SIZE, left : left + SIZE].astype(np.float32) / np.float32(255)
    return ((crop - np.float32(0.5)) / np.float32(0.5)).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("change", "named", "size"),
    [
        (lambda pixels, spec: reference_pipeline(pixels, spec)[::-1], "BGR", (41, 33)),
        (opencv, "OpenCV", (41, 33)),
        (lambda pixels, spec: reference_pipeline(pixels, spec) * np.float32(0.5), "std", (41, 33)),
        # 27×20 becomes 24×18, 25×19 becomes 23×18: at 23 the crop's corner is a half.
        (floor_crop, "crop", (29, 22)),
    ],
    ids=["bgr", "opencv", "no std", "floor"],
)
def test_preprocessing_faults_fail_their_own_verdict_and_are_named(
    tmp_path: Path, change: Any, named: str, size: tuple[int, int]
) -> None:
    labels = write_photos(tmp_path / "val", [k % 3 for k in range(12)], size=size)
    run = start(tmp_path / "out", tmp_path / "val", labels, plugin=Preprocessing(change))
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert states(run)[PARITY] is State.PASS and states(run)[PREPROCESSING] is State.FAIL
    assert named.lower() in evidence(run, PREPROCESSING).lower(), evidence(run, PREPROCESSING)


def test_labels_shifted_by_one_are_suspected_and_never_applied(tmp_path: Path) -> None:
    data, labels = photos(tmp_path, 45)
    lines = [line.rsplit(" ", 1) for line in labels.read_text().splitlines()]
    labels.write_text("".join(f"{name} {(int(label) + 1) % 3}\n" for name, label in lines))
    run = start(tmp_path / "out", data, labels)
    assert run.everything() is ExitCode.VERDICT_FAILED
    assert run.record.evaluations[1].metric("top1").value == 0.0
    assert run.record.label_suspects and run.record.label_suspects[0].accuracy == 100.0
    assert "labels:" in evidence(run, ACCURACY)


def test_a_pass_on_too_few_images_is_called_that(tmp_path: Path) -> None:
    data, labels = photos(tmp_path, 12)
    run = start(tmp_path / "out", data, labels)
    assert run.everything() is ExitCode.OK
    changes = run.record.evaluations[1].changes
    assert changes is not None and changes.paired is not None and changes.paired.needed is not None
    assert f"points (limit 1.00); {changes.paired.needed} would decide" in evidence(run, ACCURACY)
    notes = [str(verdict.note) for verdict in run.record.verdicts]
    assert notes[:4] == [""] * 4 and notes[4].startswith("12 images cannot rule out a drop of up to ")
    assert "**UNPROVEN: Top-1 100.00%, " in (tmp_path / "out/README.md").read_text()


def test_flips_are_listed_with_their_margin(tmp_path: Path) -> None:
    def swap(model: onnx.ModelProto) -> None:
        bias = next(one for one in model.graph.initializer if list(one.dims) == [3])
        bias.CopyFrom(numpy_helper.from_array(np.array([100, 0, 0], dtype=np.float32), bias.name))

    data, labels = photos(tmp_path, 12)
    run = start(tmp_path / "out", data, labels, plugin=Edited(swap))
    run.export(), run.verify(), run.evaluate()
    parity = run.record.parity[0]
    assert parity.changes.flipped > 0 and str(parity.conclusion) == "outside tolerance"
    changes = run.record.evaluations[1].changes
    assert changes is not None and changes.flipped == 8
    assert changes.flips[0].id == "photo 001.jpg" and changes.flips[0].margin is not None
    assert (changes.flips[0].reference, changes.flips[0].candidate) == ("1", "0")


def porter(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "porter.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_two_graphs_are_compared_from_the_command_line(tmp_path: Path) -> None:
    data, labels = photos(tmp_path, 6)
    run = start(tmp_path / "out", data, labels, plugin=TinyPlugin(network=convolutions()))
    run.export()
    reference, candidate = tmp_path / "out/models/tiny.onnx", tmp_path / "edited.onnx"
    model = onnx.load(reference)
    zero_a_weight(model)
    onnx.save(model, candidate)
    same = porter("diagnose", "graphs", "--reference", reference, "--candidate", reference, "--data", data)
    assert same.returncode == 0 and "no node differs" in same.stdout
    chart = tmp_path / "chart.svg"
    done = porter(
        "diagnose", "graphs", "--reference", reference, "--candidate", candidate, "--data", data, "--chart", chart
    )
    assert done.returncode == 1 and "0.weight" in done.stdout and "Conv" in done.stdout
    assert chart.read_bytes().startswith(b"<?xml")


def test_a_users_own_tensors_are_checked(tmp_path: Path) -> None:
    from porter.images.decode import decode
    from porter_hrnet.plugin import SAMPLE, spec_for

    spec = spec_for("custom", (64, 64), 14, ()).image
    names = sorted((SAMPLE / "val").iterdir())[::40]
    data, tensors = tmp_path / "data", tmp_path / "tensors"
    data.mkdir(), tensors.mkdir()
    for path in names:
        (data / path.name).write_bytes(path.read_bytes())
        reference_pipeline(decode(path.read_bytes(), path.name).pixels, spec)[::-1].tofile(tensors / f"{path.stem}.bin")
    done = porter("diagnose", "tensors", "--tensors", tensors, "--model", "hrnet", "--data", data)
    assert done.returncode == 1 and "BGR" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "'OUT'"),
        (["run", "nowhere"], "no run record"),
        (["nowhere"], "no command 'nowhere' of porter diagnose. To diagnose a run: porter diagnose run nowhere"),
        (["graph"], "Did you mean 'graphs'?"),
        (["graphs", "--reference", "a.onnx"], "--candidate"),
        (["graphs", "--reference", "a.onnx", "--candidate", "b.onnx"], "a.onnx"),
        (["graphs", "--reference", "a.onnx", "--candidate", "b.onnx", "--option", "x"], "not RUNTIME.NAME=VALUE"),
        (["tensors"], "--tensors"),
        (["tensors", "--tensors", "t", "--model", "hrnet"], "no such folder"),
        (["tensors", "--tensors", "t"], "--model NAME"),
        (["tensors", "--tensors", "t", "--out", "nowhere"], "no run record"),
        (["tensors", "--tensors", "t", "--out", "o", "--model", "hrnet"], "Omit --model"),
    ],
)
def test_a_mistake_is_one_line(arguments: list[str], message: str) -> None:
    done = porter("diagnose", *arguments)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1


def test_tensors_are_held_against_a_run_or_a_sample(tmp_path: Path) -> None:
    from porter.images.decode import decode
    from porter_hrnet.plugin import SAMPLE, spec_for

    tensors = tmp_path / "tensors"
    tensors.mkdir()
    done = porter("diagnose", "tensors", "--tensors", tensors, "--model", "hrnet")
    assert done.returncode == 2 and "8 of 8 tensors are missing" in done.stderr
    spec = spec_for("custom", (64, 64), 14, ()).image
    for path in sorted((SAMPLE / "val").iterdir())[:3]:
        np.save(tensors / f"{path.stem}.npy", reference_pipeline(decode(path.read_bytes(), path.name).pixels, spec))
    done = porter("diagnose", "tensors", "--tensors", tensors, "--model", "hrnet")
    assert done.returncode == 0 and "3 tensors agree" in done.stdout
    assert "3 of the 280 images" in done.stdout and "cannot rule out: rotated by EXIF" in done.stdout
    porter("export", "hrnet", "--out", tmp_path / "out")
    assert porter("diagnose", "tensors", "--tensors", tensors, "--out", tmp_path / "out").stdout == done.stdout
