"""Decoding large JPEGs to a fraction of their size: only where asked for, only where enough is left, and measured."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import start, write_photos

from porter.errors import ImageError
from porter.images import opencv
from porter.images.decode import decode
from porter.pipeline.evaluation.approximate import REDUCED


def photo(width: int, height: int, **options: object) -> bytes:
    slope = (
        np.linspace(0, 255, width)[None, :, None] * np.array([1.0, 0.5, 0.2])
        + np.linspace(0, 60, height)[:, None, None]
    )
    buffer = io.BytesIO()
    Image.fromarray(np.clip(slope, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("size", "short_side", "left"),
    [
        ((130, 90), 46, (130, 90)),
        ((130, 90), 45, (65, 45)),
        ((131, 91), 45, (66, 46)),
        ((400, 300), 75, (100, 75)),
        ((400, 300), 37, (50, 38)),
        ((4000, 3000), 37, (500, 375)),
    ],
)
def test_the_short_side_stays_as_long_as_it_must_be(
    size: tuple[int, int], short_side: int, left: tuple[int, int]
) -> None:
    image = decode(photo(*size), "a.jpg", short_side)
    assert image.pixels.shape == (left[1], left[0], 3)
    assert (REDUCED in image.conversions) == (size != left)


def test_unasked_every_pixel_is_decoded() -> None:
    assert decode(photo(4000, 100), "a.jpg").pixels.shape == (100, 4000, 3)


def test_other_formats_and_unusual_jpegs_are_decoded_whole() -> None:
    grey = io.BytesIO()
    Image.new("L", (200, 200), 90).save(grey, "JPEG")
    plain = io.BytesIO()
    Image.new("RGB", (200, 200)).save(plain, "PNG")
    for data in (grey.getvalue(), plain.getvalue(), photo(200, 200, progressive=True)):
        assert decode(data, "a", 20).pixels.shape == (200, 200, 3)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("short_side", [None, 200, 100, 50])
def test_a_cut_jpeg_is_refused_at_any_size(progressive: bool, short_side: int | None) -> None:
    data = photo(600, 400, progressive=progressive)
    cut = data[: 2 * len(data) // 3] + b"\xff\xd9"
    assert decode(data, "a.jpg", short_side)
    with pytest.raises(ImageError, match="cut short"):
        decode(cut, "a.jpg", short_side)


@pytest.mark.usefixtures("without_opencv")
def test_without_opencv_the_size_is_the_same() -> None:
    assert opencv.unusable() is not None
    assert decode(photo(401, 301), "a.jpg", 75).pixels.shape == (76, 101, 3)


def test_both_ways_give_the_same_pixels() -> None:
    data = photo(401, 301)
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (100, 75))
        np.testing.assert_array_equal(decode(data, "a.jpg", 75).pixels, np.asarray(image))


def test_a_run_measures_what_it_did(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "photos", [0, 1, 2, 0], size=(80, 60))
    small = Image.open(tmp_path / "photos/photo 000.jpg").resize((30, 24))
    small.save(tmp_path / "photos/photo 000.jpg")
    run = start(tmp_path / "out", tmp_path / "photos", labels, approximate_decode=True)
    run.everything()
    found = run.record.approximation
    assert found is not None
    assert (found.images, found.reduced, found.answers_changed) == (4, 3, 0)
    assert found.exact.value == found.approximate.value == 100
    assert found.exact_images_per_second > 0 and (found.approximate_images_per_second or 0) > 0
    assert run.record.data is not None and run.record.data.conversions[REDUCED] == 3


def test_asking_for_it_makes_everything_of_the_images_anew(tmp_path: Path) -> None:
    labels = write_photos(tmp_path / "photos", [0, 1, 2], size=(80, 60))
    exact = start(tmp_path / "out", tmp_path / "photos", labels)
    exact.everything()
    assert exact.record.approximation is None
    again = start(tmp_path / "out", tmp_path / "photos", labels, approximate_decode=True, fresh=False)
    assert not again.record.evaluations and again.record.export is not None
    again.everything()
    assert again.record.approximation is not None and again.record.approximation.reduced == 3
