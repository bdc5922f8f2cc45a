"""The network against facts and logits of the authors' own code, and as an ONNX graph."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from porter_hrnet.config import read_config
from porter_hrnet.network import HighResolutionNet
from porter_hrnet.published import TABLE, published_accuracy, published_facts
from porter_hrnet.structure import HRNetConfig, StageConfig
from porter_hrnet.variants import CUSTOM, variant_of

from .golden_recipe import golden_input, golden_state_dict


def narrow_config(block: str = "BASIC", widths: tuple[int, ...] = (4, 8, 12, 16)) -> HRNetConfig:
    """A network of the official shape that runs in milliseconds."""

    def stage(branches: int) -> StageConfig:
        return StageConfig(modules=1, block=block, blocks=(1,) * branches, channels=widths[:branches])  # type: ignore[arg-type]

    first = StageConfig(modules=1, block="BOTTLENECK", blocks=(1,), channels=(4,))
    return HRNetConfig(
        image_size=(64, 96),
        stages=(first, stage(2), stage(3), stage(4)),
        num_classes=5,
        head_channels=(2, 4, 6, 8),
        final_channels=24,
    )


def narrow_network(config: HRNetConfig | None = None) -> HighResolutionNet:
    network = HighResolutionNet(config or narrow_config()).eval()
    network.load_state_dict(golden_state_dict(network))
    return network


def test_matches_the_authors_network(official_config: Path, golden: dict[str, Any]) -> None:
    with torch.device("meta"):
        network = HighResolutionNet(read_config(official_config)).eval()
    entries = network.state_dict()
    listing = "\n".join(f"{key} {tuple(entry.shape)}" for key, entry in entries.items())
    assert sum(p.numel() for p in network.parameters()) == golden["parameters"]
    assert len(entries) == golden["state_dict_entries"]
    assert hashlib.sha256(listing.encode()).hexdigest() == golden["keys_sha256"]

    network.load_state_dict(golden_state_dict(network), assign=True)
    with torch.inference_mode():
        logits = network(golden_input()).numpy()
    deviation = np.array(golden["logits_std"])
    assert logits.shape == (2, 1000)
    assert np.abs(logits[:, :8] - golden["logits_first8"]).max() < 1e-3 * deviation.min()
    np.testing.assert_allclose(logits.mean(axis=1), golden["logits_mean"], atol=1e-3 * deviation.min())
    np.testing.assert_allclose(logits.std(axis=1), deviation, rtol=1e-3)
    assert logits.argmax(axis=1).tolist() == golden["argmax"]


def test_variant_is_told_from_the_structure(variant: str, official_config: Path) -> None:
    assert variant_of(read_config(official_config)) == variant


def test_a_network_that_nobody_published_is_custom() -> None:
    assert variant_of(narrow_config()) == CUSTOM
    assert published_accuracy(CUSTOM) is None
    assert published_facts(CUSTOM) == {}


def test_published_figures(variant: str, golden: dict[str, Any]) -> None:
    millions = float(TABLE[variant].parameters.removesuffix("M"))
    assert millions == pytest.approx(golden["parameters"] / 1e6, abs=0.06)
    published = published_accuracy(variant)
    assert published is not None
    assert published.images == 50_000
    assert 70 < published.value("top1") < published.value("top5") < 100  # type: ignore[operator]
    assert re.fullmatch(published.image_pattern, "ILSVRC2012_val_00000001.JPEG")
    assert not re.fullmatch(published.image_pattern, "00001.jpg")


def test_published_figures_are_those_of_the_readme(variant: str, official_config: Path) -> None:
    row = json.loads((official_config.parent / "published.json").read_text())["models"][variant]
    assert TABLE[variant] == (row["params"], row["gflops"], row["top1"], row["top5"])


@pytest.mark.parametrize("block", ["BASIC", "BOTTLENECK"])
@pytest.mark.parametrize("widths", [(4, 8, 12, 16), (3, 3, 3, 3)])
def test_any_width_and_block(block: str, widths: tuple[int, ...]) -> None:
    network = narrow_network(narrow_config(block, widths))
    with torch.inference_mode():
        assert network(torch.zeros(3, 3, 64, 96)).shape == (3, 5)


def test_training_reaches_every_parameter() -> None:
    network = narrow_network().train()
    network(golden_input(64)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "hrnet.onnx"
    network, example = narrow_network(), golden_input(64)
    names, axes = {"input_names": ["input"], "output_names": ["logits"]}, {"input": {0: "N"}, "logits": {0: "N"}}
    torch.onnx.export(network, (example,), str(path), opset_version=11, dynamo=False, dynamic_axes=axes, **names)
    return path


def test_exports_to_opset_11(exported: Path) -> None:
    model = onnx.load(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 11)]
    assert {node.op_type for node in model.graph.node} <= {
        "Conv", "Relu", "Add", "Constant", "Resize", "GlobalAveragePool", "Flatten", "Gemm", "Identity"
    }  # fmt: skip


def test_upsampling_repeats_cells(exported: Path) -> None:
    resizes = [node for node in onnx.load(exported).graph.node if node.op_type == "Resize"]
    assert len(resizes) == 1 + 3 + 6  # pairs of branches in stages 2, 3 and 4
    for node in resizes:
        how = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert how["mode"] == b"nearest"
        assert how["coordinate_transformation_mode"] == b"asymmetric"
        assert how["nearest_mode"] == b"floor"


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_batch_is_free_in_onnx(exported: Path, batch: int) -> None:
    images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
    with torch.inference_mode():
        expected = narrow_network()(images).numpy()
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"input": images.numpy()})
    np.testing.assert_allclose(logits, expected, atol=1e-4 * expected.std())
