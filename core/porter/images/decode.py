"""Bytes of an image file → RGB pixels, or one clear reason why not."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter.errors import ImageError, one_line
from porter.files.limits import COUNTS
from porter.images.convert import MODE_NAMES, to_rgb
from porter.images.formats import READABLE, SNIFF_BYTES, foreign, lacks_reader, sniff, suffix_format
from porter.images.jpeg import Layout, missing_data, read_layout
from porter.images.one_large import expect
from porter.images.opencv import decode_jpeg, unusable
from porter.images.strict import strict_pillow
from porter.records.message import Message, Text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_PIXELS = COUNTS["pixels of an image"]
"""Largest image that is decoded, in pixels. At this size decoding takes some 400 MB: 4 bytes a pixel in Pillow, 3 in
the array, and what the format's own reader needs."""
HEAVY = ("WEBP", "AVIF", "JPEG2000")
MAX_PIXELS_HEAVY = COUNTS["pixels of a WebP, AVIF or JPEG 2000 image"]
"""The same of `HEAVY` formats, whose readers take up to 19 bytes a pixel beside."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """The pixels of one image file, and how the file differed from an ordinary RGB JPEG."""

    pixels: NDArray[np.uint8]
    """uint8 H×W×3, RGB, C-contiguous, not writable."""
    format: str
    """Format by content: one of `porter.images.formats.READABLE`."""
    conversions: tuple[str, ...] = ()
    """What was done or passed over to get RGB, in this order where several apply:

    the pixels' type, if not RGB: `bilevel`, `grey`, `grey-alpha`, `grey16`, `palette`, `rgba` (alpha dropped), `cmyk`
    (also YCCK), `ycbcr`, `lab`, `hsv`; `frames`: the first of several frames was taken; `suffix`: the suffix of the
    file name promises another format.
    """


def decode(data: bytes, name: str) -> DecodedImage:
    """Decode the image file `data`; `name` is used in messages and to see whether the suffix fits, nothing more.

    The pixels are those of `PIL.Image.open(...).convert("RGB")`, which torchvision's `default_loader` calls, except for
    16-bit grey (see `porter.images.convert`). EXIF orientation is ignored, as there. Ordinary JPEGs are decoded by
    OpenCV, which is faster, where it gives the same pixels (see `porter.images.opencv`), all else by Pillow. Safe to
    call from several threads.

    Raises `ImageError`, naming the file, where the image cannot be read whole: empty, truncated, damaged, of another
    format, or larger than `MAX_PIXELS` (refused from its header, before any pixel is decoded).
    """
    try:
        return _decode(data, name)
    except ImageError as error:
        raise ImageError(f"{one_line(name)}: {one_line(error)}", error.reason) from None


def _decode(data: bytes, name: str) -> DecodedImage:
    kind = sniff(data[:SNIFF_BYTES])
    if not kind:
        raise ImageError(_what_it_is(data))
    if lacks_reader(kind):
        raise ImageError(_unread(kind))
    layout = read_layout(data) if kind == "JPEG" else None
    pixels, mode, animated = _quickly(data, layout) or _read(data, kind)
    if kind == "JPEG" and (lack := missing_data(data, pixels, lambda changed: _read(changed, kind)[0], layout)):
        raise ImageError(Message("JPEG is truncated: {lack}", lack=lack))
    promised = suffix_format(name)
    conversions = (
        MODE_NAMES[mode],
        "frames" if animated else "",
        "suffix" if promised and promised != kind else "",
    )
    pixels.flags.writeable = False
    return DecodedImage(pixels=pixels, format=kind, conversions=tuple(c for c in conversions if c))


def _quickly(data: bytes, layout: Layout | None) -> tuple[NDArray[np.uint8], str, bool] | None:
    """What `_read` gives, by OpenCV; None where that is not known to be the same."""
    if layout is None or not layout.ordinary or layout.width * layout.height > MAX_PIXELS or unusable() is not None:
        return None
    expect(layout.width * layout.height)
    pixels = decode_jpeg(data)
    return None if pixels is None else (pixels, "RGB", False)


def _read(data: bytes, kind: str) -> tuple[NDArray[np.uint8], str, bool]:
    """RGB pixels, Pillow's mode, and whether there are further frames, of a file whose content says `kind`."""
    from PIL import Image, UnidentifiedImageError

    try:
        with strict_pillow(), Image.open(io.BytesIO(data), formats=(kind,)) as image:
            width, height = image.size
            most = MAX_PIXELS_HEAVY if kind in HEAVY else MAX_PIXELS
            if width * height > most:
                raise ImageError(
                    Message("{size} pixels, more than the limit of {limit}", size=f"{width}×{height}", limit=most)
                )
            expect(width * height)
            mode = image.mode
            return to_rgb(image), mode, bool(getattr(image, "is_animated", False))
    except ImageError:
        raise
    except Image.DecompressionBombError:  # Pillow refuses the largest itself, when opening
        raise ImageError(
            Message("{kind} header declares more pixels than the limit of {limit}", kind=kind, limit=MAX_PIXELS)
        ) from None
    except UnidentifiedImageError:
        raise ImageError(Message("{kind} header is damaged or truncated", kind=kind)) from None
    except MemoryError:
        raise ImageError(Message("{kind} needs more memory than is available", kind=kind)) from None
    except Exception as error:  # Pillow's plugins raise of every kind on bad data: OSError, SyntaxError, struct.error…
        why = one_line(error) or type(error).__name__
        raise ImageError(Message("{kind} cannot be read completely: {why}", kind=kind, why=_told(why))) from None


def _told(why: str) -> Text:
    """What Pillow says, as a message where it is one of its usual sentences."""
    if why in ("image file is truncated", "Truncated File Read"):
        return Message("image file is truncated")
    return why


def _unread(kind: str) -> Message:
    return Message("{kind}, which Pillow on this machine cannot read. Convert it to PNG", kind=kind)


def _what_it_is(data: bytes) -> Message:
    """Why bytes without the signature of a known format are no image."""
    if not data:
        return Message("empty file (0 bytes)")
    if kind := foreign(data[:SNIFF_BYTES]):
        return _unread(kind)
    if data.startswith(b"version https://git-lfs"):
        return Message("a Git LFS pointer, not the image itself. Run `git lfs pull`")
    if data.lstrip()[:1] == b"<":
        return Message("a web page or other markup text, not an image. Fetch the file again")
    return Message("not an image that porter reads ({formats})", formats=tuple(READABLE))
