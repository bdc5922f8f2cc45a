"""Kinds of images that preprocessing gets wrong alone: colours, shapes, sizes, formats."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from porter.images.appearance import exif_orientation
from porter.images.strict import strict_pillow
from porter.records.message import Message, Text
from porter.records.spec import PreprocessSpec

LARGE = 4.0
"""Times the resize's size by which the short side of a large image goes beyond it."""

KINDS = {
    "grey": Message("grey images"),
    "cmyk": Message("CMYK images"),
    "palette": Message("images with a palette or an alpha channel"),
    "deep": Message("images of more than 8 bits"),
    "turned": Message("images with an EXIF orientation"),
    "portrait": Message("portrait images"),
    "landscape": Message("landscape images"),
    "square": Message("square images"),
    "large": Message("large images"),
    "small": Message("images smaller than the resize"),
    "odd": Message("images with an odd side"),
    "png": Message("PNG images"),
}
"""What a kind is called, by its name."""


def kinds_of(data: bytes, spec: PreprocessSpec) -> frozenset[str]:
    """The kinds that an image file belongs to; empty where its header cannot be read."""
    from PIL import Image

    try:
        with strict_pillow(), Image.open(io.BytesIO(data)) as image:
            mode, (width, height), form = image.mode, image.size, image.format
    except Exception:  # Pillow's plugins raise of every kind on bad data
        return frozenset()
    short, resized = min(width, height), spec.resize or min(spec.crop)
    found = {
        "grey": mode in ("L", "LA", "1"),
        "cmyk": mode == "CMYK",
        "palette": mode in ("P", "RGBA", "LA", "PA"),
        "deep": mode.startswith("I"),
        "turned": exif_orientation(data) != 1,
        "portrait": height > width,
        "landscape": width > height,
        "square": width == height,
        "large": short >= LARGE * resized,
        "small": short < resized,
        "odd": bool(width % 2 or height % 2),
        "png": form == "PNG",
    }
    return frozenset(name for name, is_one in found.items() if is_one)


def one_of_each(kinds: Mapping[int, frozenset[str]], most: int) -> list[int]:
    """Up to `most` images such that every kind has up to two, by their places; the rarest kinds first."""
    counts = {name: sum(name in one for one in kinds.values()) for name in KINDS}
    chosen: list[int] = []
    for name in sorted((name for name in KINDS if counts[name]), key=lambda name: counts[name]):
        have = sum(name in kinds[place] for place in chosen)
        more = [place for place, one in kinds.items() if name in one and place not in chosen]
        chosen += more[: max(0, 2 - have)]
    rest = [place for place in kinds if place not in chosen]
    return (chosen + rest)[:most]


def only_on(kinds: Sequence[frozenset[str]], differing: Sequence[bool]) -> Text:
    """The kind that all differing images have and none of the others, in words; empty where there is none."""
    if all(differing) or not any(differing):
        return ""
    for name, title in KINDS.items():
        if all((name in one) == bad for one, bad in zip(kinds, differing, strict=True)):
            return Message("only {kind} differ", kind=title)
    for name, title in KINDS.items():
        if all(name in one for one, bad in zip(kinds, differing, strict=True) if bad):
            return Message("all differing images are {kind}, but others of that kind agree", kind=title)
    return ""
