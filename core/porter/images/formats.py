"""The image formats that porter reads, told by a file's first bytes and never by its name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

SUFFIX_FORMATS: dict[str, str] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".apng": "PNG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".dib": "BMP",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".avifs": "AVIF",
    ".jp2": "JPEG2000",
    ".j2k": "JPEG2000",
    ".j2c": "JPEG2000",
    ".jpc": "JPEG2000",
    ".jpf": "JPEG2000",
    ".jpx": "JPEG2000",
}
"""File-name suffix (lower case) of every format that porter reads: torchvision's `IMG_EXTENSIONS` and their kin."""

UNREADABLE_SUFFIXES = frozenset({".heic", ".heif", ".hif", ".jxl"})
"""Suffixes of photos that Pillow has no reader for. Such a file counts as an image that cannot be read: an accuracy
without it would be one of other images."""

IMAGE_SUFFIXES = frozenset(SUFFIX_FORMATS) | UNREADABLE_SUFFIXES
"""Suffixes (lower case) that make a file an image whatever it holds."""

_OTHERS = (
    "arw bpg cr2 cr3 cur dcm dcx dds dng emf eps exr flif hdr ico jng jxr mng nef orf pam pcx pfm psd qoi raf raw rw2"
    " sgi svg svgz tga wdp wmf xbm xcf xpm"
)
OTHER_SUFFIXES = frozenset(f".{suffix}" for suffix in _OTHERS.split())
"""Suffixes of pictures that are no photos as a data set holds them, or that need a converter: never read, but said."""

READABLE = tuple(dict.fromkeys(SUFFIX_FORMATS.values()))
"""Pillow's names of the formats that porter reads. No format outside this list is ever tried: Pillow would run
Ghostscript for an EPS file, for one."""

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"})

_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

SNIFF_BYTES = 32
"""How many of a file's first bytes `sniff` looks at."""


def sniff(head: bytes) -> str:
    """Pillow's name of the format whose signature `head`, a file's first bytes, begins with; "" where none does."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and re.search(
        rb"avi[fs]", head[8:SNIFF_BYTES]
    ):  # the brands: the file's own, then those it fits
        return "AVIF"
    # These two signatures are ordinary letters: ask for a little more, or a text file might pass.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#":
        return "PPM"
    return ""


def foreign(head: bytes) -> str:
    """The name of a photo's format that Pillow has no reader for, by its first bytes; "" where it is none of them."""
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC"
    return "JPEG XL" if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")) else ""


def lacks_reader(kind: str) -> bool:
    """Whether Pillow was built here without a format of `READABLE`."""
    from PIL import features

    feature = {"AVIF": "avif", "JPEG2000": "jpg_2000", "WEBP": "webp"}.get(kind)
    return feature is not None and not features.check(feature)


def suffix_format(name: str) -> str:
    """Format that the suffix of file name `name` promises; "" where the suffix is none of `SUFFIX_FORMATS`."""
    return SUFFIX_FORMATS.get(PurePosixPath(name).suffix.lower(), "")
