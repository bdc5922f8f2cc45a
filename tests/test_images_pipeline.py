"""porter.images.pipeline: torchvision's tensors, bit for bit, and the faults that real pipelines have."""

from __future__ import annotations

import dataclasses
import importlib.util
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from porter.errors import BadInput, ImageError
from porter.images.decode import decode
from porter.images.geometry import crop_corner, resized_size
from porter.images.pipeline import lookup_table, reference_pipeline
from porter.records.spec import PreprocessSpec

GOLDEN = Path(__file__).parent / "golden"
SPEC = PreprocessSpec(resize=256, crop=(224, 224))


def load_maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_preprocess", GOLDEN / "make_preprocess.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = load_maker()
RECORD = json.loads((GOLDEN / "preprocess.json").read_text(encoding="utf-8"))
CASES = RECORD["cases"]


def spec_of(fields: dict[str, Any]) -> PreprocessSpec:
    return PreprocessSpec(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['recipe']}-{c['size']}-{c['spec'].get('interpolation')}")
def test_tensor_is_torchvisions(case: dict[str, Any]) -> None:
    pixels = MAKER.RECIPES[case["recipe"]](*case["size"])
    found = MAKER.describe(reference_pipeline(pixels, spec_of(case["spec"])))
    assert found == {key: case[key] for key in ("shape", "sha256", "samples")}


def test_golden_file_is_the_one_its_script_describes() -> None:
    described = [(recipe, list(size), spec) for recipe, size, spec in MAKER.cases()]
    assert [(c["recipe"], c["size"], c["spec"]) for c in CASES] == described
    assert len({c["sha256"] for c in CASES}) > 50
    assert RECORD["made_with"]["torchvision"].startswith("0.29.1")


@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    short=st.integers(1, 600),
)
def test_resized_size(height: int, width: int, short: int) -> None:
    new_height, new_width = resized_size(height, width, short)
    assert min(new_height, new_width) == short
    assert max(new_height, new_width) == int(short * max(height, width) / min(height, width))
    assert (new_height >= new_width) == (height >= width) or new_height == new_width
    if min(height, width) == short:
        assert (new_height, new_width) == (height, width)


@pytest.mark.parametrize(
    ("size", "crop", "corner"),
    [
        (256, 224, 16),
        (341, 224, 58),
        (343, 224, 60),
        (227, 224, 2),
        (225, 224, 0),
        (224, 224, 0),
        (223, 224, 0),
        (222, 224, -1),
        (221, 224, -1),
        (1, 224, -111),
    ],
)
def test_crop_corner_rounds_halves_to_even(size: int, crop: int, corner: int) -> None:
    assert crop_corner(size, crop) == corner


@settings(max_examples=40)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    resize=st.integers(1, 40),
    crop=st.tuples(st.integers(1, 48), st.integers(1, 48)),
    channels=st.sampled_from(["RGB", "BGR"]),
    divisor=st.sampled_from([255.0, 1.0, 127.5]),
)
def test_table_gives_the_bits_of_the_arithmetic(
    height: int, width: int, resize: int, crop: tuple[int, int], channels: Any, divisor: float
) -> None:
    """The formula written out in float32, on a crop by padding first, as torchvision does it."""
    spec = PreprocessSpec(resize=resize, crop=crop, channels=channels, divisor=divisor)
    pixels = MAKER.noise(height, width)
    new_height, new_width = resized_size(height, width, resize)
    image = np.asarray(Image.fromarray(pixels).resize((new_width, new_height), Image.Resampling.BILINEAR))
    padding = [(max(c - n, 0) // 2, (max(c - n, 0) + 1) // 2) for c, n in zip(crop, image.shape[:2], strict=True)]
    image = np.pad(image, [*padding, (0, 0)])
    top, left = (round((n - c) / 2.0) for c, n in zip(crop, image.shape[:2], strict=True))
    image = image[top : top + crop[0], left : left + crop[1]].transpose(2, 0, 1)
    image = image[::-1] if channels == "BGR" else image
    expected = image.astype(np.float32) / np.float32(divisor)
    expected -= np.array(spec.mean, np.float32)[:, None, None]
    expected /= np.array(spec.std, np.float32)[:, None, None]
    found = reference_pipeline(pixels, spec)
    assert found.tobytes() == np.ascontiguousarray(expected).tobytes()


def test_out_fills_a_slot_of_a_batch_and_nothing_else() -> None:
    pixels = MAKER.noise(300, 260)
    batch = np.full((3, 3, 224, 224), 7, np.float32)
    returned = reference_pipeline(pixels, SPEC, out=batch[1])
    assert np.shares_memory(returned, batch)
    np.testing.assert_array_equal(batch[1], reference_pipeline(pixels, SPEC))
    assert (batch[[0, 2]] == 7).all()


@pytest.mark.parametrize(
    "out", [np.empty((3, 224, 223), np.float32), np.empty((224, 224, 3), np.float32), np.empty((3, 224, 224))]
)
def test_out_of_another_shape_or_type_is_a_mistake(out: Any) -> None:
    with pytest.raises(ValueError, match="out must be float32"):
        reference_pipeline(MAKER.noise(30, 30), SPEC, out=out)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), "u1")],
)
def test_pixels_of_another_shape_or_type_are_a_mistake(pixels: Any) -> None:
    with pytest.raises(ValueError, match="pixels must be uint8"):
        reference_pipeline(pixels, SPEC)


@pytest.mark.parametrize(("recipe", "tolerance"), [("fine_checker", 0.01), ("checker", 0.13)])
def test_a_fine_checkerboard_becomes_grey(recipe: str, tolerance: float) -> None:
    """Antialiasing: at half size, without it, a checkerboard stays black and white."""
    spec = dataclasses.replace(SPEC, mean=(0, 0, 0), std=(1, 1, 1))
    antialiased = reference_pipeline(MAKER.RECIPES[recipe](512, 512), spec)[:, 8:-8, 8:-8]
    assert np.abs(antialiased - 0.5).max() < tolerance
    picked = reference_pipeline(MAKER.checker(512, 512), dataclasses.replace(spec, interpolation="nearest"))
    assert np.abs(picked - 0.5).min() == 0.5


def red_jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 280), (255, 0, 0)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_channel_order_of_a_red_jpeg() -> None:
    pixels = decode(red_jpeg(), "red.jpg").pixels
    rgb = reference_pipeline(pixels, SPEC)[:, 112, 112]
    np.testing.assert_allclose(rgb, [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=0.02)
    bgr = reference_pipeline(pixels, dataclasses.replace(SPEC, channels="BGR"))[:, 112, 112]
    np.testing.assert_allclose(bgr, [-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225], atol=0.02)


def test_resize_is_pillows_and_not_opencvs() -> None:
    """The two differ by dozens of grey levels at edges, which moves top-1."""
    cv2 = pytest.importorskip("cv2")
    pixels = MAKER.blocks(1200, 1600)
    spec = PreprocessSpec(resize=256, crop=(256, 341), divisor=1.0, mean=(0, 0, 0), std=(1, 1, 1))
    ours = reference_pipeline(pixels, spec).transpose(1, 2, 0)
    pillow = np.asarray(Image.fromarray(pixels).resize((341, 256), Image.Resampling.BILINEAR))
    opencv = cv2.resize(pixels, (341, 256), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(ours, pillow)
    difference = np.abs(ours - opencv)
    assert difference.mean() > 10
    assert difference.max() > 60


@pytest.mark.parametrize("size", [(1, 10000), (10000, 1), (2, 65000)])
def test_an_extreme_shape_is_refused_before_it_takes_memory(size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=rf"{size[1]}×{size[0]} pixels would become .* more than the limit"):
        reference_pipeline(np.zeros((*size, 3), np.uint8), SPEC)


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (5, 3)])
def test_a_tiny_or_narrow_image_works(size: tuple[int, int]) -> None:
    tensor = reference_pipeline(np.full((*size, 3), 255, np.uint8), SPEC)
    np.testing.assert_array_equal(tensor, np.broadcast_to(lookup_table(SPEC)[:, 255, None, None], tensor.shape))


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (0.5,)},
        {"std": (0.5, 0.5, 0.0)},
        {"divisor": 0.0},
        {"divisor": float("nan")},
        {"resize": 0},
        {"crop": (0, 5)},
        {"crop": (5, -1)},
    ],
)
def test_an_impossible_spec_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"^preprocess: "):
        reference_pipeline(MAKER.noise(30, 30), dataclasses.replace(SPEC, **change))
