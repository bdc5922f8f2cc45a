"""Thumbnails of flips: small, without anything but pixels, and none where an image cannot be read."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from porter.data.store import open_store
from porter.pipeline.evaluation.thumbnails import BYTES, SIDE, thumbnail


def picture(folder: Path, name: str) -> str:
    return thumbnail(open_store(str(folder)), name)[0]


def opened(data: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


@pytest.mark.parametrize(("size", "small"), [((400, 200), (96, 48)), ((20, 30), (20, 30)), ((3000, 2), (96, 1))])
def test_it_keeps_the_shape(tmp_path: Path, size: tuple[int, int], small: tuple[int, int]) -> None:
    Image.new("RGB", size, "teal").save(tmp_path / "a.png")
    assert opened(picture(tmp_path, "a.png")).size == small


def test_noise_still_fits(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    data = picture(tmp_path, "a.png")
    assert 0 < len(base64.b64decode(data)) <= BYTES and max(opened(data).size) == SIDE


def test_what_a_camera_wrote_beside_the_pixels_is_gone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    Image.new("RGB", (50, 40), "red").save(tmp_path / "a.jpg", exif=exif, comment=b"a name")
    small = opened(picture(tmp_path, "a.jpg"))
    assert not small.getexif() and not {"exif", "comment", "icc_profile"} & set(small.info)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 cut", None])
def test_what_cannot_be_read_has_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    assert picture(tmp_path, "a.jpg") == ""


def test_it_is_the_same_each_time(tmp_path: Path) -> None:
    Image.fromarray(np.arange(30000, dtype=np.uint8).reshape(100, 100, 3)).save(tmp_path / "a.png")
    assert picture(tmp_path, "a.png") == picture(tmp_path, "a.png") != ""
