"""porter.images.decode: every kind of image file becomes the pixels that Pillow gives, or one clear reason."""

from __future__ import annotations

import io
import random
import struct
import threading
import tracemalloc
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFile

from porter.errors import ImageError
from porter.images.decode import MAX_PIXELS, decode
from porter.images.formats import READABLE, SNIFF_BYTES, SUFFIX_FORMATS, sniff

RNG = np.random.RandomState(3)
PICTURE = Image.fromarray(RNG.randint(0, 256, (37, 41, 3)).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pillow_rgb(data: bytes) -> np.ndarray:
    """The reference: what torchvision's `default_loader` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def transparent_palette() -> Image.Image:
    image = PICTURE.quantize(16)
    image.info["transparency"] = bytes(range(0, 256, 16))
    return image


VARIANTS: dict[str, tuple[bytes, str, str, tuple[str, ...]]] = {
    # name of the case: content, file name, format, conversions
    "jpeg": (encode(PICTURE), "a.JPEG", "JPEG", ()),
    "progressive jpeg": (encode(PICTURE, progressive=True), "a.jpg", "JPEG", ()),
    "grey jpeg": (encode(PICTURE.convert("L")), "a.JPEG", "JPEG", ("grey",)),
    "cmyk jpeg": (encode(PICTURE.convert("CMYK")), "a.JPEG", "JPEG", ("cmyk",)),
    "png": (encode(PICTURE, "PNG"), "a.png", "PNG", ()),
    "png named .JPEG": (encode(PICTURE, "PNG"), "a.JPEG", "PNG", ("suffix",)),
    "jpeg named .png": (encode(PICTURE), "a.png", "JPEG", ("suffix",)),
    "no suffix": (encode(PICTURE), "picture", "JPEG", ()),
    "grey png named .jpg": (encode(PICTURE.convert("L"), "PNG"), "a.jpg", "PNG", ("grey", "suffix")),
    "palette": (encode(PICTURE.quantize(16), "PNG"), "a.png", "PNG", ("palette",)),
    "transparent palette": (encode(transparent_palette(), "PNG"), "a.png", "PNG", ("palette",)),
    "rgba": (encode(PICTURE.convert("RGBA"), "PNG"), "a.png", "PNG", ("rgba",)),
    "grey and alpha": (encode(PICTURE.convert("LA"), "PNG"), "a.png", "PNG", ("grey-alpha",)),
    "bilevel": (encode(PICTURE.convert("1"), "PNG"), "a.png", "PNG", ("bilevel",)),
    "gif": (encode(PICTURE, "GIF"), "a.gif", "GIF", ("palette",)),
    "bmp": (encode(PICTURE, "BMP"), "a.bmp", "BMP", ()),
    "ppm": (encode(PICTURE, "PPM"), "a.ppm", "PPM", ()),
    "pgm": (encode(PICTURE.convert("L"), "PPM"), "a.pgm", "PPM", ("grey",)),
    "tiff": (encode(PICTURE, "TIFF"), "a.tif", "TIFF", ()),
    "cmyk tiff": (encode(PICTURE.convert("CMYK"), "TIFF", compression="tiff_lzw"), "a.tiff", "TIFF", ("cmyk",)),
    "ycbcr tiff": (encode(PICTURE.convert("YCbCr"), "TIFF"), "a.tiff", "TIFF", ("ycbcr",)),
    "webp": (encode(PICTURE, "WEBP"), "a.webp", "WEBP", ()),
    "avif": (encode(PICTURE, "AVIF"), "a.avif", "AVIF", ()),
    "avif named .jpg": (encode(PICTURE, "AVIF"), "a.JPEG.jpg", "AVIF", ("suffix",)),
    "jpeg 2000": (encode(PICTURE, "JPEG2000"), "a.jp2", "JPEG2000", ()),
    "bare jpeg 2000": (encode(PICTURE, "JPEG2000", no_jp2=True), "a.j2k", "JPEG2000", ()),
    "frames": (
        encode(PICTURE, "GIF", save_all=True, append_images=[PICTURE.rotate(90)]),
        "a.gif",
        "GIF",
        ("palette", "frames"),
    ),
    "animated png": (
        encode(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]),
        "a.png",
        "PNG",
        ("frames",),
    ),
    "mpo": (encode(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(90)]), "a.jpg", "JPEG", ("frames",)),
}


@pytest.mark.parametrize("case", VARIANTS)
def test_pixels_are_those_of_pillow(case: str) -> None:
    data, name, kind, conversions = VARIANTS[case]
    image = decode(data, name)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, pillow_rgb(data))
    assert (image.format, image.conversions) == (kind, conversions)


def test_alpha_is_dropped_not_blended() -> None:
    clear = Image.merge("RGBA", (*PICTURE.split(), Image.new("L", PICTURE.size, 0)))
    np.testing.assert_array_equal(decode(encode(clear, "PNG"), "a.png").pixels, np.asarray(PICTURE))


def test_adobe_ycck_jpeg() -> None:
    """The same coefficients read as YCCK: Pillow cannot write such a file, the Adobe marker's transform makes one."""
    data = encode(PICTURE.convert("CMYK"))
    at = data.index(b"Adobe")
    ycck = data[: at + 11] + b"\x02" + data[at + 12 :]
    assert data[at + 11] == 0
    image = decode(ycck, "a.jpg")
    np.testing.assert_array_equal(image.pixels, pillow_rgb(ycck))
    assert image.conversions == ("cmyk",)
    assert not np.array_equal(image.pixels, decode(data, "a.jpg").pixels)


def test_exif_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90 degrees
    image = decode(encode(PICTURE, exif=exif), "a.jpg")
    assert image.pixels.shape == (37, 41, 3)
    np.testing.assert_array_equal(image.pixels, decode(encode(PICTURE), "a.jpg").pixels)


@pytest.mark.parametrize("shift", [1, 257])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_its_high_byte(kind: str, shift: int) -> None:
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    values = levels << 8 if shift == 1 else levels * 257  # the two ways in which 8 bits are widened to 16
    image = decode(encode(Image.fromarray(values), kind), f"a.{kind.lower()}")
    np.testing.assert_array_equal(image.pixels, np.repeat(levels.astype(np.uint8)[:, :, None], 3, axis=2))
    assert image.conversions[:1] == ("grey16",)


def test_sixteen_bit_big_endian_tiff() -> None:
    values = np.arange(65536, dtype=">u2").reshape(256, 256)
    image = decode(encode(Image.fromarray(values), "TIFF"), "a.tif")
    np.testing.assert_array_equal(image.pixels[:, :, 0], values >> 8)


@pytest.mark.parametrize("pixels", [np.full((4, 4), 0.5, np.float32), np.full((4, 4), 70000, np.int32)])
def test_pixels_without_a_white_level_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"^a\.tif: .*(white level|cannot be converted to RGB)"):
        decode(encode(Image.fromarray(pixels), "TIFF"), "a.tif")


HALF = encode(PICTURE)[: len(encode(PICTURE)) // 2]
BROKEN: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty file"),
    "web page": (b"\n <!DOCTYPE html><html>404</html>", "web page"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
    "heic": (
        bytes(3) + b"\x18ftypheic" + bytes(40),
        "HEIC, which Pillow on this machine cannot read. Convert it to PNG",
    ),
    "jpeg xl": (b"\xff\x0a" + bytes(40), "JPEG XL, which Pillow on this machine cannot read"),
    "text": (b"hello", "not an image that porter reads"),
    "zeros": (bytes(4096), "not an image that porter reads"),
    "pdf": (b"%PDF-1.7\n", "not an image that porter reads"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image that porter reads"),
    "half a jpeg": (HALF, "cannot be read completely"),
    "half a jpeg with an end marker": (HALF + b"\xff\xd9", "truncated"),
    "half a png": (encode(PICTURE, "PNG")[:2000], "cannot be read completely"),
    "jpeg of its signature": (b"\xff\xd8\xff\xe0", "damaged or truncated"),
    "png of its signature": (b"\x89PNG\r\n\x1a\n", "damaged or truncated"),
    "damaged png": (encode(PICTURE, "PNG").replace(b"IDAT", b"IDAX"), "PNG"),
}


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("case", BROKEN)
def test_what_cannot_be_read_whole_is_refused_in_one_line(
    case: str, lenient: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    data, reason = BROKEN[case]
    with pytest.raises(ImageError, match=reason) as caught:
        decode(data, "dir/Ö bild\n\x1b[31m.jpg")
    text = str(caught.value)
    assert text.startswith("dir/Ö bild \\x1b[31m.jpg: ")
    assert "\n" not in text
    assert "BytesIO" not in text
    assert lenient == ImageFile.LOAD_TRUNCATED_IMAGES


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(1 << 20)))


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(encode(PICTURE))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


GIANTS = {
    "png just over the limit": (png_header(MAX_PIXELS + 1, 1), "more than the limit of 40,000,000"),
    "png": (png_header(60000, 60000), "more pixels than the limit of 40,000,000"),
    "jpeg": (jpeg_header(65000, 65000), "more pixels than the limit of 40,000,000"),
    "gif": (b"GIF89a" + struct.pack("<HH", 65000, 65000) + bytes(3) + b"," + bytes(12), "GIF"),
}


@pytest.mark.parametrize("case", GIANTS)
def test_a_decompression_bomb_takes_no_memory(case: str) -> None:
    data, reason = GIANTS[case]
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=reason):
            decode(data, "bomb")
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()


def test_zero_size_is_refused() -> None:
    for data in (png_header(0, 5), jpeg_header(0, 5), jpeg_header(5, 0)):
        with pytest.raises(ImageError):
            decode(data, "a")


def test_damaged_exif_neither_warns_nor_fails(capfd: pytest.CaptureFixture[str]) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\x00" + bytes(20)
    data = encode(PICTURE, exif=exif)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        image = decode(data, "a.jpg")
        warnings.warn("after", stacklevel=1)
    assert [str(w.message) for w in seen] == ["after"]
    np.testing.assert_array_equal(image.pixels, pillow_rgb(data))
    assert capfd.readouterr() == ("", "")


def test_any_damage_gives_an_image_or_an_image_error() -> None:
    chance = random.Random(5)
    for case in ("jpeg", "progressive jpeg", "png", "palette", "gif", "bmp", "webp", "pgm", "mpo"):
        data = VARIANTS[case][0]
        for _ in range(40):
            damaged = bytearray(data)
            for _ in range(chance.randint(1, 8)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            try:
                assert decode(bytes(damaged), "a").pixels.ndim == 3
            except ImageError as error:
                assert "\n" not in str(error)


def test_threads_decode_strictly_while_the_process_is_lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole, accepted = encode(PICTURE), []

    def work() -> None:
        for _ in range(60):
            decode(whole, "a.jpg")
            try:
                decode(HALF, "a.jpg")
                accepted.append("half")
            except ImageError:
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not accepted
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_every_readable_format_has_a_signature() -> None:
    found = {sniff(data[:SNIFF_BYTES]) for data, *_ in VARIANTS.values()}
    assert found == set(READABLE) == set(SUFFIX_FORMATS.values())


def test_all_images_of_a_real_set_are_whole() -> None:
    """The guard against cut JPEGs must not refuse an ordinary one."""
    folder = Path(__file__).resolve().parents[1].parent / "shared/data/imagenet-sample/val"
    files = sorted(folder.glob("*"))[::25] if folder.is_dir() else []
    if not files:
        pytest.skip("no sample of real images beside the project")
    for file in files:
        data = file.read_bytes()
        np.testing.assert_array_equal(decode(data, file.name).pixels, pillow_rgb(data))
        for keep in (0.5, 0.98):
            for end in (b"", b"\xff\xd9"):
                with pytest.raises(ImageError):
                    decode(data[: int(len(data) * keep)] + end, file.name)
