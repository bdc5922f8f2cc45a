"""porter.images.geometry: each fit against Pillow, OpenCV and the formula that it names, and transforms that find back.

The references here are written from the definitions, and share no line with the code.
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from porter.errors import BadInput, ImageError
from porter.images.geometry import affine_of, frame, grey, new_size, placed, to_image
from porter.images.pipeline import channels_of, reference_pipeline, row_shape
from porter.records.spec import PreprocessSpec

SIZES = [(60, 80), (80, 60), (33, 33), (17, 121), (121, 17), (64, 48), (5, 7)]
CV2 = {
    "opencv_linear": cv2.INTER_LINEAR,
    "opencv_cubic": cv2.INTER_CUBIC,
    "opencv_area": cv2.INTER_AREA,
    "opencv_nearest": cv2.INTER_NEAREST,
}
PILLOW = ("bilinear", "bicubic", "nearest", "lanczos")
SAME: dict[str, Any] = {"divisor": 1.0, "mean": (0.0,) * 3, "std": (1.0,) * 3}
"""Levels stay levels."""


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth, so that a shift of less than a pixel shows, and noisy, so that a filter does."""
    y, x = np.mgrid[:height, :width]
    planes = [x * 255 / width, y * 255 / height, 128 + 100 * np.sin(x / 3 + y / 5)]
    noise = np.random.default_rng(seed).integers(-20, 21, (height, width, 3))
    return np.clip(np.stack(planes, axis=2) + noise, 0, 255).astype(np.uint8)


def resized(pixels: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    """By the library itself; size is height and width."""
    if size == pixels.shape[:2]:
        return pixels
    if name in CV2:
        return cv2.resize(pixels, size[::-1], interpolation=CV2[name])
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling[name.upper()]))


def letterboxed(pixels: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """As detectors of one stage have it: one scale for both sides, the rest in one grey."""
    height, width = pixels.shape[:2]
    scale = min(spec.crop[0] / height, spec.crop[1] / width)
    if not spec.enlarge:
        scale = min(1.0, scale)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    rest = spec.crop[0] - size[0], spec.crop[1] - size[1]
    top, left = (0, 0) if spec.pad_at == "end" else (rest[0] // 2, rest[1] // 2)
    level = list(spec.pad * 3 if len(spec.pad) == 1 else spec.pad)
    inside = resized(pixels, size, spec.interpolation)
    return cv2.copyMakeBorder(inside, top, rest[0] - top, left, rest[1] - left, cv2.BORDER_CONSTANT, value=level)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", [*PILLOW, *CV2])
def test_cover_is_a_resize_of_the_short_side_and_the_centre(size: tuple[int, int], name: Any) -> None:
    spec = PreprocessSpec(resize=40, crop=(32, 36), interpolation=name)
    pixels = picture(*size)
    height, width = size
    new = (40, int(40 * width / height)) if height < width else (int(40 * height / width), 40)
    top, left = round((new[0] - 32) / 2), round((new[1] - 36) / 2)
    wanted = resized(pixels, new, name)[top : top + 32, left : left + 36]
    np.testing.assert_array_equal(placed(pixels, spec), wanted)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pad_at", ["both", "end"])
@pytest.mark.parametrize("enlarge", [True, False])
@pytest.mark.parametrize("name", ["bilinear", "opencv_linear", "opencv_area"])
def test_letterbox(size: tuple[int, int], pad_at: Any, enlarge: bool, name: Any) -> None:
    spec = PreprocessSpec(
        fit="letterbox", crop=(48, 64), pad=(114,), pad_at=pad_at, enlarge=enlarge, interpolation=name
    )
    found = placed(picture(*size), spec)
    assert found.shape == (48, 64, 3)
    np.testing.assert_array_equal(found, letterboxed(picture(*size), spec))


def test_a_small_picture_is_enlarged_only_where_that_is_declared() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    spec = PreprocessSpec(fit="letterbox", crop=(8, 12), pad=(10, 20, 30))
    assert (placed(white, spec) == 255).all(axis=2).sum() == 64
    kept = placed(white, replace(spec, enlarge=False))
    assert (kept == 255).all(axis=2).sum() == 16 and kept[0, 0].tolist() == [10, 20, 30]


def test_the_spare_pixel_of_a_letterbox_is_at_the_end() -> None:
    spec = PreprocessSpec(fit="letterbox", crop=(5, 8), enlarge=False)
    columns = placed(np.full((5, 5, 3), 9, np.uint8), spec)[0, :, 0]
    assert columns.tolist() == [0, 9, 9, 9, 9, 9, 0, 0]
    at_end = placed(np.full((5, 5, 3), 9, np.uint8), replace(spec, pad_at="end"))[0, :, 0]
    assert at_end.tolist() == [9, 9, 9, 9, 9, 0, 0, 0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("rule", "whole"), [("floor", math.floor), ("round", round)])
def test_long_side(size: tuple[int, int], rule: Any, whole: Any) -> None:
    spec = PreprocessSpec(fit="long_side", resize=50, long_side=rule, interpolation="opencv_linear")
    new = tuple(max(1, whole(side * 50 / max(size))) for side in size)
    assert max(new) == 50
    np.testing.assert_array_equal(placed(picture(*size), spec), resized(picture(*size), new, "opencv_linear"))


@given(long=st.integers(1, 5000), short=st.integers(1, 5000), resize=st.integers(1, 2000))
@example(long=55, short=55, resize=224)  # 55 * (224 / 55) is a little less than 224
def test_the_long_side_becomes_exactly_what_is_declared(long: int, short: int, resize: int) -> None:
    size = max(long, short), min(long, short)
    new = new_size(size, PreprocessSpec(fit="long_side", resize=resize))
    assert new[0] == resize and 1 <= new[1] <= resize


def test_none_is_the_picture_itself() -> None:
    pixels = picture(31, 47)
    spec = PreprocessSpec(fit="none", **SAME)
    np.testing.assert_array_equal(placed(pixels, spec), pixels)
    np.testing.assert_array_equal(reference_pipeline(pixels, spec), pixels.transpose(2, 0, 1))
    assert row_shape(spec) is None


@pytest.mark.parametrize("fit", ["none", "long_side"])
@pytest.mark.parametrize("multiple", [1, 8, 32])
def test_inputs_of_any_size_are_padded_to_a_multiple(fit: Any, multiple: int) -> None:
    spec = PreprocessSpec(fit=fit, resize=47, multiple=multiple, pad=(1, 2, 3))
    pixels = picture(31, 47)
    found = placed(pixels, spec)
    height, width = -(-31 // multiple) * multiple, -(-47 // multiple) * multiple
    assert found.shape == (height, width, 3)
    wanted = np.empty((height, width, 3), np.uint8)
    wanted[:] = (1, 2, 3)
    wanted[:31, :47] = pixels
    np.testing.assert_array_equal(found, wanted)


# --- boxes -----------------------------------------------------------------------------------------------------------


def third_point(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """`get_3rd_point` of the authors of the top-down pose networks."""
    direct = a - b
    return b + np.array([-direct[1], direct[0]], dtype=np.float32)


def authors_transform(box: tuple[float, ...], size: tuple[int, int], enlarged: float) -> np.ndarray:
    """Their `_xywh2cs` and `get_affine_transform`, without rotation or shift; size is width and height."""
    pixel_std = 200
    x, y, w, h = box
    aspect_ratio = size[0] * 1.0 / size[1]
    center = np.zeros(2, dtype=np.float32)
    center[0] = x + w * 0.5
    center[1] = y + h * 0.5
    if w > aspect_ratio * h:
        h = w * 1.0 / aspect_ratio
    elif w < aspect_ratio * h:
        w = h * aspect_ratio
    scale = np.array([w * 1.0 / pixel_std, h * 1.0 / pixel_std], dtype=np.float32)
    if center[0] != -1:
        scale = scale * np.float32(enlarged)
    scale_tmp = scale * np.float32(200.0)
    src_w, (dst_w, dst_h) = scale_tmp[0], size
    src_dir = np.array([0, src_w * -0.5])
    dst_dir = np.array([0, dst_w * -0.5], np.float32)
    src, dst = np.zeros((3, 2), dtype=np.float32), np.zeros((3, 2), dtype=np.float32)
    src[0, :], src[1, :] = center, center + src_dir
    dst[0, :], dst[1, :] = [dst_w * 0.5, dst_h * 0.5], np.array([dst_w * 0.5, dst_h * 0.5]) + dst_dir
    src[2:, :] = third_point(src[0, :], src[1, :])
    dst[2:, :] = third_point(dst[0, :], dst[1, :])
    return cv2.getAffineTransform(np.float32(src), np.float32(dst))


BOXES = [(10.0, 5.0, 30.0, 40.0), (0.0, 0.0, 80.0, 10.0), (-7.5, 20.25, 15.5, 60.125), (40.0, 30.0, 1.0, 1.0)]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("scale", [1.0, 1.25])
@pytest.mark.parametrize("crop", [(64, 48), (48, 48), (32, 64)])
def test_a_box_is_warped_as_the_authors_do(box: Any, scale: float, crop: tuple[int, int]) -> None:
    spec = PreprocessSpec(fit="box", crop=crop, box_scale=scale, pad=(5, 6, 7), interpolation="opencv_linear")
    matrix = authors_transform(box, crop[::-1], scale)
    np.testing.assert_allclose(affine_of(spec, box), matrix, rtol=1e-6, atol=1e-5)
    pixels = picture(60, 80)
    wanted = cv2.warpAffine(pixels, affine_of(spec, box), crop[::-1], flags=cv2.INTER_LINEAR, borderValue=(5, 6, 7))
    np.testing.assert_array_equal(placed(pixels, spec, box), wanted)


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("bilinear", cv2.INTER_LINEAR),
        ("bicubic", cv2.INTER_CUBIC),
        ("lanczos", cv2.INTER_LANCZOS4),
        ("nearest", cv2.INTER_NEAREST),
        ("opencv_cubic", cv2.INTER_CUBIC),
        ("opencv_nearest", cv2.INTER_NEAREST),
    ],
)
def test_a_box_is_warped_by_opencvs_filter_of_every_name(name: Any, flag: int) -> None:
    spec = PreprocessSpec(fit="box", crop=(48, 36), interpolation=name)
    pixels = picture(60, 80)
    wanted = cv2.warpAffine(pixels, affine_of(spec, BOXES[0]), (36, 48), flags=flag)
    np.testing.assert_array_equal(placed(pixels, spec, BOXES[0]), wanted)


def test_without_a_box_it_is_the_whole_picture() -> None:
    spec = PreprocessSpec(fit="box", crop=(48, 36))
    pixels = picture(60, 80)
    np.testing.assert_array_equal(placed(pixels, spec), placed(pixels, spec, (0.0, 0.0, 80.0, 60.0)))


# --- the way back ----------------------------------------------------------------------------------------------------

SPECS = {
    "cover": PreprocessSpec(resize=90, crop=(80, 64)),
    "squash": PreprocessSpec(resize=70, squash=(70, 100), crop=(64, 64)),
    "larger crop": PreprocessSpec(resize=60, crop=(96, 120)),
    "letterbox": PreprocessSpec(fit="letterbox", crop=(128, 96)),
    "at the end": PreprocessSpec(fit="letterbox", crop=(128, 96), pad_at="end", enlarge=False),
    "long side": PreprocessSpec(fit="long_side", resize=77, multiple=32),
    "none": PreprocessSpec(fit="none", multiple=32),
    "box": PreprocessSpec(fit="box", crop=(96, 72), interpolation="opencv_linear"),
}
BOX = (20.0, 10.0, 60.0, 70.0)


def spots(height: int, width: int) -> np.ndarray:
    """A picture of one bright round spot a channel."""
    y, x = np.mgrid[:height, :width]
    middles = [(0.4, 0.45), (0.5, 0.6), (0.65, 0.5)]
    planes = [255 * np.exp(-(((x - width * v) ** 2 + (y - height * u) ** 2) / (2 * 4.0**2))) for u, v in middles]
    return np.stack(planes, axis=2).astype(np.uint8)


def middles_of(pixels: np.ndarray) -> np.ndarray:
    """The centre of mass of each channel, x and y in pixels, counted from the middle of the first."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    levels = pixels.astype(np.float64)
    return np.stack([(levels * axis[:, :, None]).sum(axis=(0, 1)) / levels.sum(axis=(0, 1)) for axis in (x, y)], axis=1)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("size", [(100, 120), (120, 100)])
def test_a_place_in_the_input_is_found_in_the_picture(name: str, size: tuple[int, int]) -> None:
    """Where a spot lies in the placed picture is where the transform says that it came from."""
    spec, pixels = SPECS[name], spots(*size)
    half = 0.0 if spec.fit == "box" else 0.5  # see `to_image` for what a point is counted from
    here = middles_of(placed(pixels, spec, BOX)) + half
    transform = to_image(spec, size, BOX)
    assert transform.shape == (2, 3) and transform.dtype == np.float64
    there = here @ transform[:, :2].T + transform[:, 2]
    np.testing.assert_allclose(there, middles_of(pixels) + half, atol=0.4)


@pytest.mark.parametrize("name", [one for one in SPECS if one != "box"])
def test_the_edges_of_the_picture_are_found(name: str) -> None:
    spec, (height, width) = SPECS[name], (100, 120)
    transform = to_image(spec, (height, width))
    new = new_size((height, width), spec)
    if spec.fit == "cover":
        top, left = -round((new[0] - spec.crop[0]) / 2), -round((new[1] - spec.crop[1]) / 2)
    else:
        top, left = frame(new, spec)[1]
    corners = np.array([[left, top], [left + new[1], top + new[0]]], np.float64)
    np.testing.assert_allclose(corners @ transform[:, :2].T + transform[:, 2], [[0, 0], [width, height]], atol=1e-9)


@pytest.mark.parametrize("box", BOXES)
def test_the_way_back_from_a_box_is_the_inverse(box: Any) -> None:
    spec = PreprocessSpec(fit="box", crop=(64, 48), box_scale=1.25)
    there, back = affine_of(spec, box), to_image(spec, (60, 80), box)
    x, y, w, h = box
    points = np.array([[x + w / 2, y + h / 2], [x, y], [x + w, y + h]])
    inside = points @ there[:, :2].T + there[:, 2]
    np.testing.assert_allclose(inside[0], (24, 32), atol=1e-3)
    np.testing.assert_allclose(inside @ back[:, :2].T + back[:, 2], points, atol=1e-3)
    widened = max(w, h * 48 / 64) * 1.25
    np.testing.assert_allclose(back[0, 0] * 48, widened, rtol=1e-5)


# --- grey, and what cannot be ----------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_grey_is_pillows_and_the_recommendations(seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    found = grey(pixels)
    assert found.shape == (9, 7, 1) and found.dtype == np.uint8
    np.testing.assert_array_equal(found[:, :, 0], np.asarray(Image.fromarray(pixels).convert("L")))
    plain = pixels.astype(np.float64) @ (0.299, 0.587, 0.114)
    assert np.abs(found[:, :, 0] - plain).max() <= 1.0


@pytest.mark.parametrize("fit", ["cover", "letterbox", "long_side", "none", "box"])
@pytest.mark.parametrize("name", ["bilinear", "opencv_linear"])
def test_one_channel_goes_through_every_fit(fit: Any, name: Any) -> None:
    """Grey first, geometry then: the same as three channels of that grey."""
    spec = PreprocessSpec(fit=fit, resize=40, crop=(32, 36), interpolation=name, pad=(9,), mean=(0.0,), std=(1.0,))
    spec = replace(spec, channels="GRAY", divisor=1.0, multiple=8 if fit in ("long_side", "none") else 1)
    pixels = picture(60, 80)
    found = reference_pipeline(pixels, spec, box=BOXES[0])
    three = np.repeat(grey(pixels), 3, axis=2)
    wanted = reference_pipeline(three, replace(spec, channels="RGB", **SAME), box=BOXES[0])
    assert channels_of(spec) == 1 and found.shape == (1, *wanted.shape[1:])
    np.testing.assert_array_equal(found[0], wanted[0])


@pytest.mark.parametrize("fit", ["letterbox", "box", "none"])
def test_blue_first_is_the_order_of_the_planes_and_of_mean_and_std(fit: Any) -> None:
    spec = PreprocessSpec(fit=fit, crop=(32, 36), pad=(1, 2, 3), multiple=8 if fit == "none" else 1, **SAME)
    pixels = picture(30, 50)
    rgb = reference_pipeline(pixels, spec, box=BOXES[0])
    bgr = replace(spec, channels="BGR", mean=(10.0, 0.0, 0.0), std=(2.0, 1.0, 1.0))
    found = reference_pipeline(pixels, bgr, box=BOXES[0])
    np.testing.assert_array_equal(found[0], (rgb[2] - 10) / 2)
    np.testing.assert_array_equal(found[1:], rgb[1::-1])


def test_out_is_filled_where_every_input_is_of_one_size() -> None:
    spec = PreprocessSpec(fit="letterbox", crop=(32, 36))
    out = np.empty((3, 32, 36), np.float32)
    assert reference_pipeline(picture(30, 50), spec, out) is out
    np.testing.assert_array_equal(out, reference_pipeline(picture(30, 50), spec))
    with pytest.raises(ValueError, match="out must be float32 None"):
        reference_pipeline(picture(30, 50), PreprocessSpec(fit="none"), out)


def test_a_picture_that_would_become_too_large_is_damaged() -> None:
    sliver = np.zeros((1, 20000, 3), np.uint8)
    with pytest.raises(ImageError, match="more than the limit"):
        placed(sliver, PreprocessSpec(resize=20000, crop=(224, 224)))


@pytest.mark.parametrize("fit", ["letterbox", "box"])
def test_an_input_without_a_size_is_refused(fit: Any) -> None:
    with pytest.raises(BadInput, match=r"crop \(0, 0\) must be at least 1 pixel"):
        reference_pipeline(picture(5, 5), PreprocessSpec(fit=fit))


def test_what_a_jpeg_holds_is_placed_as_it_was_decoded() -> None:
    from porter.images.decode import decode

    stream = io.BytesIO()
    Image.fromarray(picture(60, 80)).save(stream, "JPEG", quality=95)
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        pixels = np.asarray(image.convert("RGB"))
    spec = PreprocessSpec(fit="letterbox", crop=(48, 48), pad=(114,))
    np.testing.assert_array_equal(placed(decode(stream.getvalue(), "a.jpg").pixels, spec), letterboxed(pixels, spec))
