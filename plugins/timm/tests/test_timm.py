"""Architectures of timm from `porter run` on, and their preprocessing against timm's own transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from corpus.case import porter as command_line
from PIL import Image
from porter_timm.plugin import porter_describe
from tiny import write_photos

from porter import BadInput, Missing, ModelRequest, State, read_record, reference_pipeline

SMALL = "mobilenetv3_small_050"


@pytest.fixture
def place(tmp_path: Path, timm: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos of three classes, and weights of a small network for them."""
    import torch
    from safetensors.torch import save_file

    write_photos(tmp_path / "val", [0, 1, 2] * 4)
    torch.manual_seed(0)
    save_file(timm.create_model(SMALL, num_classes=3).state_dict(), tmp_path / "net.safetensors")
    (tmp_path / "small.yaml").write_text(f"architecture: {SMALL}\nnames: [a, b, c]\nimage_size: 64\ncrop_pct: 1.0\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_yaml_and_a_safetensors_file_are_delivered(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = "run timm --config small.yaml --checkpoint net.safetensors --data val --labels labels.txt --out out"
    ended = command_line(f"{words} --batch-sizes 1 --bench-seconds 0", capfd.readouterr)
    record = read_record(place / "out")
    states = {one.name: one.state for one in record.verdicts}
    assert states["weights"] is states["parity"] is states["preprocessing"] is State.PASS, ended.err
    assert record.model is not None and record.model.variant == SMALL
    assert record.model.class_names == ("a", "b", "c")


def test_an_architecture_is_named_in_place_of_a_config(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its classes are ImageNet's, so these weights do not fit, and the head is named."""
    words = "run timm --config mobilenetv3_small_050 --checkpoint net.safetensors --data val --labels labels.txt"
    ended = command_line(words, capfd.readouterr)
    assert ended.code == 2
    assert "classifier" in ended.error and "num_classes" in ended.error


@pytest.mark.parametrize(
    "name", ["hrnet_w18", "vit_base_patch16_224", "deit3_small_patch16_224", "lcnet_050", "tf_efficientnet_lite0"]
)
def test_preprocessing_is_timms_own(name: str, timm: Any) -> None:
    """Bit for bit but for the last step: timm divides by std in one operation of torch."""
    from timm.data import create_transform, resolve_data_config

    spec = porter_describe(ModelRequest(model="timm", name=name))
    known = timm.models.get_pretrained_cfg(name).to_dict()
    transform = create_transform(**resolve_data_config({}, pretrained_cfg=known))
    pixels = np.random.default_rng(0).integers(0, 256, (300, 411, 3), np.uint8)
    wanted = transform(Image.fromarray(pixels)).numpy()
    assert spec.preprocess is not None
    assert np.abs(reference_pipeline(pixels, spec.preprocess) - wanted).max() < 1e-5


def test_every_squash_and_border_of_timm_is_declared_or_refused(timm: Any) -> None:
    for name in timm.list_models():
        known = timm.models.get_pretrained_cfg(name)
        if known is None or known.crop_mode == "center":
            continue
        try:
            spec = porter_describe(ModelRequest(model="timm", name=name))
        except BadInput as error:
            assert "set crop_" in str(error)
            continue
        assert spec.preprocess is not None
        assert spec.preprocess.fit == "letterbox" if known.crop_mode == "border" else spec.preprocess.squash


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("architecture: hrnet_w81\n", "Did you mean 'hrnet_w"),
        ("architecture: hrnet_w18.nonsense\n", "has no configuration 'nonsense'; it has ms_aug_in1k"),
        ("num_classes: 3\n", "architecture"),
        (f"architecture: {SMALL}\nnum_classes: 2\nnames: [a]\n", "1 names for num_classes 2"),
        (f"architecture: {SMALL}\nnames: ../x\n", "leads out"),
        (f"architecture: {SMALL}\ncrop_mod: squash\n", "crop_mod"),
    ],
)
def test_what_a_yaml_says_wrongly_is_named(text: str, says: str, tmp_path: Path, timm: Any) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=says):
        porter_describe(ModelRequest(model="timm", config=path))


def test_arguments_that_timm_refuses_are_told(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (place / "args.yaml").write_text(f"architecture: {SMALL}\nnum_classes: 3\nargs: {{nonsense: 1}}\n")
    words = "run timm --config args.yaml --checkpoint net.safetensors --data val --labels labels.txt"
    ended = command_line(words, capfd.readouterr)
    assert ended.code == 2 and "create_model" in ended.error and "nonsense" in ended.error


def test_a_torchvision_that_does_not_load_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchvision of the package index is beside torch's build for processors alone."""
    import builtins

    real = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "timm":
            raise RuntimeError("operator torchvision::nms does not exist")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Missing, match=r"does not load beside torch .* of one release"):
        porter_describe(ModelRequest(model="timm", name="hrnet_w18"))
