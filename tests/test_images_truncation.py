"""A cut image file never passes for a whole one, wherever the cut lies."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from porter.errors import ImageError
from porter.images.decode import decode

EOI = b"\xff\xd9"


def picture(height: int, width: int) -> Image.Image:
    """Soft ramps under noise, so that every block has data of its own."""
    y, x = np.mgrid[0:height, 0:width]
    ramps = np.stack([x * 2, y * 3, x + y], -1) % 196
    return Image.fromarray((ramps + np.random.RandomState(1).randint(0, 60, ramps.shape)).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


JPEGS: dict[str, bytes] = {
    "baseline": encode(picture(43, 53)),
    "baseline 4:4:4": encode(picture(43, 53), subsampling=0, quality=90),
    "baseline, coarse": encode(picture(43, 53), quality=10),
    "own Huffman tables": encode(picture(43, 53), optimize=True),
    "restart markers": encode(picture(43, 53), restart_marker_blocks=2),
    "grey": encode(picture(43, 53).convert("L")),
    "cmyk": encode(picture(27, 29).convert("CMYK")),
    "progressive": encode(picture(43, 53), progressive=True),
    "progressive, grey": encode(picture(43, 53).convert("L"), progressive=True),
    "progressive, restart markers": encode(picture(43, 53), progressive=True, restart_marker_blocks=3),
}


@pytest.mark.parametrize("case", JPEGS)
def test_no_prefix_of_a_jpeg_is_accepted(case: str) -> None:
    data = JPEGS[case]
    assert decode(data, "a.jpg").pixels.size
    for length in range(0, len(data), 3):
        with pytest.raises(ImageError):
            decode(data[:length], "a.jpg")


@pytest.mark.parametrize("case", JPEGS)
def test_a_cut_jpeg_with_an_end_marker_put_back_is_refused(case: str) -> None:
    """libjpeg fills the rest with grey and Pillow says nothing. Only what the last block group lacks may pass."""
    data = JPEGS[case]
    whole = decode(data, "a.jpg").pixels
    start = data.rindex(b"\xff\xda") if "progressive" not in case else data.index(b"\xff\xda")
    for length in range(start, len(data) - 2, 2):
        try:
            accepted = decode(data[:length] + EOI, "a.jpg").pixels
        except ImageError:
            continue
        changed = np.argwhere((accepted != whole).any(axis=2))
        # A group is 16×16 at most; its chroma is smoothed into its neighbour by one pixel.
        corner = [(size - 1) // 16 * 16 - 1 for size in whole.shape[:2]]
        assert (changed >= corner).all(), length


def test_a_cut_between_restart_markers_is_refused() -> None:
    """No bit is missing within a segment there, only whole segments are."""
    data = JPEGS["restart markers"]
    cuts = [i for i in range(data.rindex(b"\xff\xda"), len(data)) if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7]
    assert len(cuts) > 3
    for cut in cuts:
        with pytest.raises(ImageError, match="ends early"):
            decode(data[:cut] + EOI, "a.jpg")


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    data = JPEGS["progressive"]
    scans = [i for i in range(len(data) - 1) if data[i : i + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for scan in scans[1:]:
        with pytest.raises(ImageError, match="the last scans are missing"):
            decode(data[:scan] + EOI, "a.jpg")


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("level", [0, 127, 128, 129, 255])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
def test_a_flat_grey_picture_is_whole(mode: str, level: int, options: dict[str, Any]) -> None:
    """Grey is what libjpeg fills in; a picture that really is grey must pass."""
    image = Image.new("RGB", (50, 34), (level, level, level)).convert(mode)
    assert decode(encode(image, **options), "a.jpg").pixels.shape == (34, 50, 3)


def test_bytes_after_the_end_marker_are_ignored() -> None:
    data = JPEGS["baseline"]
    for tail in (bytes(100), b"\xff\xff", b"<html>", data[:300]):
        np.testing.assert_array_equal(decode(data + tail, "a.jpg").pixels, decode(data, "a.jpg").pixels)


def test_fill_bytes_before_the_end_marker_are_ignored() -> None:
    image = encode(Image.new("RGB", (50, 34), (128, 128, 128)))
    padded = image[:-2] + b"\xff\xff\xff" + EOI
    assert decode(padded, "a.jpg").pixels.shape == (34, 50, 3)


OTHERS: dict[str, bytes] = {
    "png": encode(picture(19, 23), "PNG"),
    "palette png": encode(picture(19, 23).quantize(16), "PNG"),
    "bilevel png": encode(picture(19, 23).convert("1"), "PNG"),
    "gif": encode(picture(19, 23), "GIF"),
    "bmp": encode(picture(19, 23), "BMP"),
    "ppm": encode(picture(19, 23), "PPM"),
    "pgm": encode(picture(19, 23).convert("L"), "PPM"),
    "tiff": encode(picture(19, 23), "TIFF"),
    "lzw tiff": encode(picture(19, 23), "TIFF", compression="tiff_lzw"),
    "webp": encode(picture(19, 23), "WEBP"),
    "lossless webp": encode(picture(19, 23), "WEBP", lossless=True),
    "frames": encode(picture(19, 23), "GIF", save_all=True, append_images=[picture(23, 19).rotate(90)]),
    "animated png": encode(picture(19, 23), "PNG", save_all=True, append_images=[picture(19, 23).rotate(180)]),
    "mpo": encode(picture(19, 23), "MPO", save_all=True, append_images=[picture(19, 23).rotate(180)]),
}


@pytest.mark.parametrize("case", OTHERS)
def test_a_prefix_is_refused_or_holds_the_whole_first_frame(case: str) -> None:
    data = OTHERS[case]
    whole = decode(data, "a").pixels
    refused = 0
    for length in range(len(data)):
        try:
            pixels = decode(data[:length], "a").pixels
        except ImageError:
            refused += 1
            continue
        np.testing.assert_array_equal(pixels, whole)
    assert refused > 100
