"""porter.diagnose.preprocessing: pipelines with known faults, written out by hand, and the names they are given."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from porter.contracts.requests import Image as Decoded
from porter.diagnose.preprocessing import resizers as preprocessing_resample
from porter.diagnose.preprocessing.explain import Sample, explain_preprocessing, read_samples
from porter.diagnose.preprocessing.fault_search import FACTOR
from porter.diagnose.preprocessing.recipe import cropped, declared, finished
from porter.diagnose.preprocessing.user_tensors import read_user_tensors
from porter.diagnose.preprocessing.usual_faults import changes
from porter.errors import BadInput, ImageError
from porter.images.appearance import exif_orientation
from porter.images.decode import decode
from porter.images.pipeline import reference_pipeline
from porter.records.spec import PreprocessSpec
from porter.records.suspects import PreprocessFinding

Pixels = NDArray[np.uint8]
Tensor = NDArray[np.float32]

SPEC = PreprocessSpec(resize=64, crop=(56, 56))
MEAN, STD = np.array(SPEC.mean, np.float32), np.array(SPEC.std, np.float32)
SIZES = ((125, 94), (94, 128), (150, 91), (101, 100))
"""Width and height. With the short side at 64 the long ones are 85, 87, 105 and 64, so that the crop's corner lies at
14.5, which rounds down to even, at 15.5, which rounds up, at 24.5, and at 4."""


def photo(seed: int, width: int, height: int) -> Pixels:
    """Colours that run into one another, sharp edges, thin lines and noise."""
    random = np.random.default_rng(seed)
    colours = random.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    image = Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, r = (int(v) for v in random.integers((0, 0, 3), (width, height, width // 4)))
        draw.ellipse([x - r, y - r, x + r, y + r], fill=tuple(int(v) for v in random.integers(0, 256, 3)))
        draw.line(
            [int(v) for v in random.integers(0, width, 4)], fill=tuple(int(v) for v in random.integers(0, 256, 3))
        )
    noisy = np.asarray(image).astype(np.int16) + random.integers(-10, 11, (height, width, 3))
    return noisy.clip(0, 255).astype(np.uint8)


PHOTOS = [photo(seed, *size) for seed, size in enumerate(SIZES)]


def samples(pipeline: Callable[[Pixels], Any], photos: list[Pixels] | None = None) -> list[Sample]:
    return [
        Sample(id=f"{number}.png", data=b"", pixels=pixels, tensor=np.array(pipeline(pixels), np.float32))
        for number, pixels in enumerate(PHOTOS if photos is None else photos)
    ]


def explain(pipeline: Callable[[Pixels], Any], spec: PreprocessSpec = SPEC) -> PreprocessFinding:
    return explain_preprocessing(samples(pipeline), spec)


def names(finding: PreprocessFinding) -> list[set[str]]:
    return [{suspect.name for suspect in one.suspects} for one in finding.explanations]


def size_of(pixels: Pixels, short: int = 64) -> tuple[int, int]:
    """Width and height with the short side at `short`."""
    height, width = pixels.shape[:2]
    return (short, int(short * height / width)) if width <= height else (int(short * width / height), short)


def pillow(pixels: Pixels, how: Image.Resampling = Image.Resampling.BILINEAR, short: int = 64) -> Pixels:
    return np.asarray(Image.fromarray(pixels).resize(size_of(pixels, short), how))


def rounded(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = 64 / min(height, width)
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))


def opencv(pixels: Pixels, how: int = cv2.INTER_LINEAR) -> Pixels:
    return cv2.resize(pixels, size_of(pixels), interpolation=how)


def crop(sized: Pixels, rounding: Callable[[float], int] = round) -> Pixels:
    top, left = (rounding((side - 56) / 2) for side in sized.shape[:2])
    return sized[top : top + 56, left : left + 56]


def normal(cropped: Any, divisor: float = 255, mean: Any = MEAN, std: Any = STD) -> Tensor:
    """H×W×3."""
    return (cropped.astype(np.float32) / np.float32(divisor) - np.float32(mean)) / np.float32(std)


def chw(values: Any) -> Any:
    return values.transpose(2, 0, 1)


def with_torch(pixels: Pixels, *, antialias: bool) -> Tensor:
    """As with torchvision's transforms on float tensors."""
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    sized = torch.nn.functional.interpolate(image, size_of(pixels)[::-1], mode="bilinear", antialias=antialias)
    return chw(normal(crop(sized[0].permute(1, 2, 0).numpy()), divisor=1))


ALONE: dict[str, Callable[[Pixels], Any]] = {
    "bgr": lambda p: chw(normal(crop(pillow(p))[:, :, ::-1])),
    "planes-reversed": lambda p: chw(normal(crop(pillow(p))))[::-1],
    "opencv-linear": lambda p: chw(normal(crop(opencv(p)))),
    "opencv-area": lambda p: chw(normal(crop(opencv(p, cv2.INTER_AREA)))),
    "opencv-cubic": lambda p: chw(normal(crop(opencv(p, cv2.INTER_CUBIC)))),
    "opencv-nearest": lambda p: chw(normal(crop(opencv(p, cv2.INTER_NEAREST)))),
    "opencv-lanczos4": lambda p: chw(normal(crop(opencv(p, cv2.INTER_LANCZOS4)))),
    "no-antialias": lambda p: with_torch(p, antialias=False),
    "float-resize": lambda p: with_torch(p, antialias=True),
    "pillow-bicubic": lambda p: chw(normal(crop(pillow(p, Image.Resampling.BICUBIC)))),
    "pillow-nearest": lambda p: chw(normal(crop(pillow(p, Image.Resampling.NEAREST)))),
    "pillow-lanczos": lambda p: chw(normal(crop(pillow(p, Image.Resampling.LANCZOS)))),
    "corner-floor": lambda p: chw(normal(crop(pillow(p), lambda v: int(np.floor(v))))),
    "corner-ceil": lambda p: chw(normal(crop(pillow(p), lambda v: int(np.ceil(v))))),
    "squash": lambda p: chw(normal(np.asarray(Image.fromarray(p).resize((56, 56), Image.Resampling.BILINEAR)))),
    "squash-crop": lambda p: chw(
        normal(crop(np.asarray(Image.fromarray(p).resize((64, 64), Image.Resampling.BILINEAR))))
    ),
    "no-margin": lambda p: chw(normal(crop(pillow(p, short=56)))),
    "no-resize": lambda p: chw(normal(crop(p))),
    "long-round": lambda p: chw(normal(crop(rounded(p)))),
    "mean-missing": lambda p: chw(normal(crop(pillow(p)), mean=0)),
    "std-missing": lambda p: chw(normal(crop(pillow(p)), std=1)),
    "mean-std-missing": lambda p: chw(crop(pillow(p)) / 255),
    "mean-std-exchanged": lambda p: chw(normal(crop(pillow(p)), mean=STD, std=MEAN)),
    "mean-std-reversed": lambda p: chw(normal(crop(pillow(p)), mean=MEAN[::-1], std=STD[::-1])),
    "half-range": lambda p: chw(crop(pillow(p)) / np.float32(127.5) - 1),
    "divisor-missing": lambda p: chw(normal(crop(pillow(p)), divisor=1)),
    "divisor-twice": lambda p: chw(normal(crop(pillow(p)) / 255)),
    "transposed": lambda p: normal(crop(pillow(p))).transpose(2, 1, 0),
    "hwc-as-chw": lambda p: normal(crop(pillow(p))).reshape(3, 56, 56),
    "hwc": lambda p: normal(crop(pillow(p))),
    "float16": lambda p: chw(normal(crop(pillow(p)))).astype(np.float16),
}


@pytest.mark.parametrize("name", ALONE)
def test_each_suspect_is_named(name: str) -> None:
    finding = explain(ALONE[name])
    assert names(finding) == [{name}]
    best = finding.explanations[0]
    assert (best.exact, best.agreeing, finding.images) == (True, len(SIZES), len(SIZES))
    assert 0 < finding.differing <= len(SIZES)
    if name == "hwc":
        assert (finding.max_difference, finding.mean_difference) == (None, None)
        assert "56×56×3" in str(finding.problem)
        return
    wanted = [np.abs(ALONE[name](p).astype(np.float64) - reference_pipeline(p, SPEC)) for p in PHOTOS]
    assert finding.max_difference == pytest.approx(max(one.max() for one in wanted), rel=1e-4)
    assert finding.mean_difference == pytest.approx(np.mean([one.mean() for one in wanted]), rel=1e-4)
    assert best.mean_residual * FACTOR <= finding.mean_difference
    assert best.max_residual <= 1e-4 * max(1, *(np.abs(ALONE[name](p)).max() for p in PHOTOS))


@pytest.mark.parametrize(
    ("pipeline", "wanted"),
    [
        (lambda p: chw(normal(crop(opencv(p))[:, :, ::-1])), {"bgr", "opencv-linear"}),
        (lambda p: chw(normal(crop(opencv(p), lambda v: int(v)))), {"opencv-linear", "corner-floor"}),
        (lambda p: chw(crop(pillow(p))), {"divisor-missing", "mean-std-missing"}),
        (lambda p: normal(crop(opencv(p, cv2.INTER_AREA))), {"opencv-area", "hwc"}),
        (lambda p: with_torch(p[:, :, ::-1], antialias=False), {"bgr", "no-antialias"}),
        (lambda p: chw(normal(crop(opencv(p), int)[:, :, ::-1])), {"bgr", "opencv-linear", "corner-floor"}),
        (
            lambda p: chw(normal(crop(opencv(p), int)[:, :, ::-1], std=1)),
            {"bgr", "opencv-linear", "corner-floor", "std-missing"},
        ),
    ],
    ids=lambda value: "+".join(sorted(value)) if isinstance(value, set) else "",
)
def test_sets_of_suspects_are_named(pipeline: Callable[[Pixels], Any], wanted: set[str]) -> None:
    finding = explain(pipeline)
    assert names(finding) == [wanted]
    assert finding.explanations[0].exact
    assert " + " in str(finding.explanations[0].title)


class TestAgreement:
    def test_the_reference_itself(self) -> None:
        finding = explain(lambda p: reference_pipeline(p, SPEC))
        assert finding.identical
        assert (finding.max_difference, finding.mean_difference, finding.explanations) == (0, 0, ())
        assert [suspect.name for suspect in finding.unseen] == ["exif"]
        assert finding.problem == ""

    @pytest.mark.parametrize(
        "spec",
        [
            SPEC,
            replace(SPEC, channels="BGR"),
            replace(SPEC, interpolation="bicubic"),
            replace(SPEC, interpolation="nearest", resize=56),
            replace(SPEC, crop=(48, 72)),
            replace(SPEC, long_side="round"),
            replace(SPEC, divisor=1.0, mean=(123.7, 116.3, 103.5), std=(58.4, 57.1, 57.4)),
            replace(SPEC, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        ],
        ids=str,
    )
    def test_the_declared_recipe_is_the_reference_bit_for_bit(self, spec: PreprocessSpec) -> None:
        for pixels in (*PHOTOS, photo(9, 40, 33), photo(9, 33, 61)):
            recipe = declared(spec)
            found = finished(cropped(pixels, 1, recipe), recipe, spec)
            np.testing.assert_array_equal(found, reference_pipeline(pixels, spec))
        assert explain(lambda p: reference_pipeline(p, spec), spec).identical

    @pytest.mark.parametrize("filter_", ["bilinear", "opencv_linear"])
    def test_a_letterbox_is_a_recipe_with_its_own_faults(self, filter_: str) -> None:
        spec = PreprocessSpec(fit="letterbox", crop=(56, 72), pad=(124, 116, 104), interpolation=filter_)  # type: ignore[arg-type]
        assert spec.is_usual and not replace(spec, pad_at="end").is_usual and not replace(spec, enlarge=False).is_usual
        for one in samples(lambda pixels: reference_pipeline(pixels, spec)):
            assert np.array_equal(finished(cropped(one.pixels, 1, declared(spec)), declared(spec), spec), one.tensor)
        swapped = explain(
            lambda pixels: reference_pipeline(pixels[:, :, ::-1], replace(spec, pad=spec.pad[::-1])), spec
        )
        assert {"bgr"} in names(swapped)
        squashed = PreprocessSpec(resize=56, squash=(56, 72), crop=(56, 72), interpolation=filter_)  # type: ignore[arg-type]
        assert {"squash"} in names(explain(lambda pixels: reference_pipeline(pixels, squashed), spec))
        grey = replace(spec, pad=(114,))
        assert {"letterbox-114"} in names(explain(lambda pixels: reference_pipeline(pixels, grey), spec))

    def test_every_suspect_of_another_spec_explains_itself(self) -> None:
        """Rendered and found again, for a model of other choices; several may be one and the same there."""
        spec = replace(SPEC, channels="BGR", interpolation="bicubic", crop=(48, 72), resize=80)
        for change in changes(spec, opencv=True):
            recipe = change.apply(declared(spec))
            finding = explain(lambda p, recipe=recipe: finished(cropped(p, 1, recipe), recipe, spec), spec)
            found = names(finding)
            assert {change.suspect.name} in found or change.suspect in finding.unseen, (change.suspect, found)

    def test_other_order_of_the_same_steps(self) -> None:
        """(v - 255 mean) / (255 std) rounds otherwise; that is no fault."""
        finding = explain(lambda p: chw((crop(pillow(p)) - 255 * MEAN) / (255 * STD)) + np.float32(2e-6))
        assert finding.differing
        assert names(finding) == [{"rounding"}]


class TestHonesty:
    def test_grey_images_cannot_show_bgr(self) -> None:
        grey = [np.repeat(photo(seed, 90, 70)[:, :, :1], 3, axis=2) for seed in range(3)]
        finding = explain_preprocessing(samples(ALONE["bgr"], grey), SPEC)
        assert finding.identical
        assert "bgr" in {suspect.name for suspect in finding.unseen}

    def test_grey_images_with_a_fault_that_may_be_two(self) -> None:
        """On grey images, planes in reverse order and mean and std in reverse order are one and the same."""
        grey = [np.repeat(photo(seed, 90, 70)[:, :, :1], 3, axis=2) for seed in range(3)]
        finding = explain_preprocessing(samples(ALONE["planes-reversed"], grey), SPEC)
        assert names(finding) == [{"planes-reversed"}, {"mean-std-reversed"}]

    def test_even_margins_cannot_show_rounding(self) -> None:
        finding = explain_preprocessing(samples(ALONE["corner-floor"], [photo(1, 80, 80)]), SPEC)
        assert finding.identical
        assert {"corner-floor", "corner-ceil", "squash-crop", "long-round"} <= {s.name for s in finding.unseen}

    def test_what_no_suspect_explains_is_not_named(self) -> None:
        finding = explain(lambda p: reference_pipeline(p[::-1, ::-1].copy(), SPEC))
        assert finding.explanations == ()
        assert finding.differing == len(SIZES)
        assert finding.tried > 400
        noise = np.random.default_rng(3).normal(0, 0.05, (3, 56, 56))
        assert explain(lambda p: reference_pipeline(p, SPEC) + noise).explanations == ()

    def test_a_fault_of_most_images_is_named_with_their_number(self) -> None:
        tensors = [ALONE["bgr"](pixels) for pixels in PHOTOS]
        tensors[2] = reference_pipeline(PHOTOS[2], SPEC)[:, ::-1]
        broken = [replace(one, tensor=np.array(t)) for one, t in zip(samples(ALONE["bgr"]), tensors, strict=True)]
        finding = explain_preprocessing(broken, SPEC)
        assert names(finding) == [{"bgr"}]
        assert (finding.explanations[0].agreeing, finding.explanations[0].exact) == (3, False)

    def test_another_mean_and_std_are_read_off(self) -> None:
        mean, std = (0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758)
        finding = explain(lambda p: chw(normal(crop(pillow(p))[:, :, ::-1], mean=mean, std=std)))
        assert names(finding) == [{"bgr", "other-mean-std"}]
        assert "0.4815, 0.4578, 0.4082" in str(finding.explanations[0].title)
        assert "0.2686, 0.2613, 0.2758" in str(finding.explanations[0].title)

    @pytest.mark.usefixtures("without_opencv")
    def test_without_opencv_its_resize_is_told_by_what_is_like_it(self) -> None:
        assert "opencv" in str(preprocessing_resample.opencv_problem())
        finding = explain(ALONE["opencv-linear"])
        assert names(finding) == [{"no-antialias-bytes"}]
        assert finding.explanations[0].agreeing == len(SIZES)
        assert not finding.explanations[0].exact
        assert "OpenCV" in str(finding.untried[0])

    def test_values_that_are_not_finite(self) -> None:
        broken = samples(lambda p: reference_pipeline(p, SPEC))
        broken[1].tensor[0, 0, 0] = np.nan
        finding = explain_preprocessing(broken, SPEC)
        assert str(finding.problem) == "the tensor of `1.png` contains NaN or infinite values"
        assert (finding.differing, finding.max_difference, finding.explanations) == (1, None, ())

    @pytest.mark.parametrize("shape", [(3, 64, 64), (1, 3, 56, 56), (3,), ()])
    def test_another_shape(self, shape: tuple[int, ...]) -> None:
        finding = explain(lambda p: np.zeros(shape, np.float32))
        assert finding.explanations == ()
        shown = "×".join(map(str, shape)) or "a single number"
        assert f"the shape is {shown}, declared is 3×56×56" in str(finding.problem)

    def test_images_smaller_than_the_crop_and_thin_ones(self) -> None:
        spec = replace(SPEC, resize=40)
        photos = [photo(1, 60, 45), photo(2, 31, 57), photo(3, 700, 12)]
        finding = explain_preprocessing(samples(lambda p: reference_pipeline(p[:, :, ::-1].copy(), spec), photos), spec)
        assert names(finding) == [{"bgr"}]

    def test_no_samples(self) -> None:
        with pytest.raises(ValueError, match="no samples"):
            explain_preprocessing([], SPEC)


def jpeg(pixels: Pixels, orientation: int) -> bytes:
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, exif=exif)
    return stream.getvalue()


class TestExif:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_turned_as_pillow_turns(self, orientation: int) -> None:
        data = jpeg(PHOTOS[0], orientation)
        assert exif_orientation(data) == orientation
        recipe = replace(declared(SPEC), oriented=True)
        found = finished(cropped(decode(data, "a.jpg").pixels, orientation, recipe), recipe, SPEC)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
        np.testing.assert_array_equal(found, reference_pipeline(upright, SPEC))

    @pytest.mark.parametrize("data", [b"", b"no image", jpeg(PHOTOS[0], 9), jpeg(PHOTOS[0], 6)[:200]])
    def test_no_orientation_is_upright(self, data: bytes) -> None:
        assert exif_orientation(data) in ((1,) if len(data) != 200 else (1, 6))

    def test_named_where_opencv_decodes(self, tmp_path: Path) -> None:
        """`cv2.imread`, its resize and `//` in the crop, as often written: the image with an orientation is turned."""
        for number, orientation in enumerate((1, 6, 1, 8)):
            (tmp_path / f"{number}.jpg").write_bytes(jpeg(PHOTOS[number], orientation))
        ids = [f"{number}.jpg" for number in range(4)]

        def imread(image: Decoded) -> Any:
            return cv2.imread(str(tmp_path / image.id))

        upright = read_samples(tmp_path, ids, lambda image: chw(normal(crop(pillow(imread(image)[:, :, ::-1])))))
        assert names(explain_preprocessing(upright, SPEC)) == [{"exif"}]
        whole = read_samples(tmp_path, ids, lambda image: chw(normal(crop(opencv(imread(image)), int))))
        assert names(explain_preprocessing(whole, SPEC)) == [{"exif", "bgr", "opencv-linear", "corner-floor"}]


class TestReadSamples:
    def test_tensors_are_copied(self, tmp_path: Path) -> None:
        for number, pixels in enumerate(PHOTOS):
            Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        buffer = np.empty((3, 56, 56), np.float32)

        def reuse(image: Decoded) -> Tensor:
            return reference_pipeline(image.pixels, SPEC, out=buffer)

        found = read_samples(tmp_path, [f"{number}.png" for number in range(4)], reuse)
        assert explain_preprocessing(found, SPEC).identical
        assert [one.id for one in found] == ["0.png", "1.png", "2.png", "3.png"]

    def test_unreadable(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match=r"none\.png: cannot be read: No such file"):
            read_samples(tmp_path, ["none.png"], lambda image: image.pixels)
        (tmp_path / "a.png").write_bytes(b"")
        with pytest.raises(ImageError, match="empty file"):
            read_samples(tmp_path, ["a.png"], lambda image: image.pixels)


class TestUserTensors:
    SHAPE = (3, 56, 48)
    SPEC = replace(SPEC, crop=(56, 48))

    def value(self, seed: int = 0) -> Tensor:
        return np.random.default_rng(seed).normal(size=self.SHAPE).astype(np.float32)

    @pytest.mark.parametrize("layout", ["chw", "1chw", "hwc", "1hwc", "fortran", "float64", "big-endian"])
    def test_npy(self, tmp_path: Path, layout: str) -> None:
        value = self.value()
        written = value.transpose(1, 2, 0) if "hwc" in layout else value
        written = written[None] if layout.startswith("1") else written
        written = np.asfortranarray(written) if layout == "fortran" else written
        written = written.astype({"float64": "<f8", "big-endian": ">f4"}.get(layout, "<f4"))
        np.save(tmp_path / "cat.npy", written)
        (found,) = read_user_tensors(tmp_path, ["cat.JPEG"], self.SPEC)
        np.testing.assert_array_equal(found, value)
        assert (found.dtype, found.flags.c_contiguous, found.flags.writeable) == (np.float32, True, True)

    def test_bin(self, tmp_path: Path) -> None:
        (tmp_path / "cat.bin").write_bytes(self.value().astype("<f4").tobytes())
        np.testing.assert_array_equal(read_user_tensors(tmp_path, ["n01/cat.JPEG"], self.SPEC)[0], self.value())

    def test_folders_are_kept_or_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        np.save(tmp_path / "a/x.v2.npy", self.value(1))
        np.save(tmp_path / "y.npy", self.value(2))
        found = read_user_tensors(tmp_path, ["b/y.png", "a/x.v2.jpg"], self.SPEC)
        np.testing.assert_array_equal(found[0], self.value(2))
        np.testing.assert_array_equal(found[1], self.value(1))

    def test_missing_ones_are_counted_and_named(self, tmp_path: Path) -> None:
        np.save(tmp_path / "0.npy", self.value())
        with pytest.raises(BadInput, match=r"4 of 5 tensors are missing \(1\.npy, 2\.npy, 3\.npy, …\)"):
            read_user_tensors(tmp_path, [f"{number}.jpg" for number in range(5)], self.SPEC)
        with pytest.raises(BadInput, match="no such folder"):
            read_user_tensors(tmp_path / "0.npy", ["0.jpg"], self.SPEC)

    def test_ambiguous_ones_are_refused(self, tmp_path: Path) -> None:
        np.save(tmp_path / "x.npy", self.value())
        with pytest.raises(BadInput, match=r"x\.npy fits 2 images \(a/x\.jpg, b/x\.jpg\)"):
            read_user_tensors(tmp_path, ["a/x.jpg", "b/x.jpg"], self.SPEC)
        (tmp_path / "x.bin").write_bytes(self.value().tobytes())
        with pytest.raises(BadInput, match=r"x\.npy and x\.bin both fit image x\.jpg"):
            read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"", "0 bytes, float32 of 3×56×48 takes 32256"),
            (bytes(8064), "8064 bytes; that is the size of uint8"),
            (bytes(16128), "the size of float16"),
            (bytes(64512), "the size of float64"),
            (bytes(32255), "32255 bytes, float32"),
            (b"\x00\x00\xc0\x7f" * 8064, "NaN"),
        ],
    )
    def test_odd_bin(self, tmp_path: Path, data: bytes, why: str) -> None:
        (tmp_path / "x.bin").write_bytes(data)
        with pytest.raises(BadInput, match=f"x.bin.*{why}"):
            read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (np.zeros((3, 56, 56), np.float32), "shape is 3×56×56, expected 3×56×48"),
            (np.zeros((2, 3, 56, 48), np.float32), "shape is 2×3×56×48"),
            (np.float32(1), "a single number"),
            (np.zeros((3, 56, 48), complex), "type complex128"),
            (np.full((3, 56, 48), "a"), "type <U1"),
            (np.full((3, 56, 48), np.inf), "NaN or infinite"),
            (np.full((3, 56, 48), 1e300), "NaN or infinite"),
            (np.array([{}]), "not a whole .npy file"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_odd_npy(self, tmp_path: Path, value: Any, why: str) -> None:
        np.save(tmp_path / "x.npy", value)
        with pytest.raises(BadInput, match=f"x.npy.*{why}"):
            read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)

    def test_damaged_npy(self, tmp_path: Path) -> None:
        path = tmp_path / "x.npy"
        np.save(path, self.value())
        whole = path.read_bytes()
        promise = whole.replace(b"(3, 56, 48), }   ", b"(3, 56, 48000), }")
        assert len(promise) == len(whole)
        for data in (b"", b"\x93NUMPY", whole[:50], whole[:-1], promise, b"PK\x03\x04", b"\x80\x04N.", b"text\n"):
            path.write_bytes(data)
            with pytest.raises(BadInput, match=r"x\.npy: not a whole \.npy file"):
                read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)
        with path.open("wb") as stream:
            np.savez(stream, self.value())
        with pytest.raises(BadInput, match=r"x\.npy: not a whole \.npy file"):
            read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)

    @settings(max_examples=150)
    @given(place=st.integers(0, 127), byte=st.integers(0, 255))
    def test_a_header_of_which_one_byte_is_wrong(self, tmp_path: Path, place: int, byte: int) -> None:
        np.save(tmp_path / "x.npy", self.value())
        data = bytearray((tmp_path / "x.npy").read_bytes())
        data[place] = byte
        (tmp_path / "x.npy").write_bytes(data)
        try:
            (found,) = read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)
        except BadInput as error:
            assert "x.npy" in str(error)
            assert "\n" not in str(error)
        else:
            assert found.shape == self.SHAPE

    def test_a_folder_in_place_of_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "x.bin").mkdir()
        with pytest.raises(BadInput, match=r"x\.bin: a folder; the file of arrays must be a file"):
            read_user_tensors(tmp_path, ["x.jpg"], self.SPEC)

    def test_what_was_read_can_be_explained(self, tmp_path: Path) -> None:
        ids = [f"{number}.png" for number in range(4)]
        for number, pixels in enumerate(PHOTOS):
            Image.fromarray(pixels).save(tmp_path / ids[number])
            (tmp_path / f"{number}.bin").write_bytes(normal(crop(pillow(pixels))).astype("<f4").tobytes())
        tensors = dict(zip(ids, read_user_tensors(tmp_path, ids, SPEC), strict=True))
        finding = explain_preprocessing(read_samples(tmp_path, ids, lambda image: tensors[image.id]), SPEC)
        assert names(finding) == [{"hwc-as-chw"}]
