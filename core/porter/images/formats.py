"""The image formats that porter reads, told by a file's first bytes and never by its name."""

from __future__ import annotations

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
}
"""File-name suffix (lower case) of every format that porter reads: torchvision's `IMG_EXTENSIONS` and their kin."""

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
)

_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})

SNIFF_BYTES = 18
"""How many of a file's first bytes `sniff` looks at."""


def sniff(head: bytes) -> str:
    """Pillow's name of the format whose signature `head`, a file's first bytes, begins with; "" where none does."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    # These two signatures are ordinary letters: ask for a little more, or a text file might pass.
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n#":
        return "PPM"
    return ""


def suffix_format(name: str) -> str:
    """Format that the suffix of file name `name` promises; "" where the suffix is none of `SUFFIX_FORMATS`."""
    return SUFFIX_FORMATS.get(PurePosixPath(name).suffix.lower(), "")
