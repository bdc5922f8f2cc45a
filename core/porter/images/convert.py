"""A Pillow image of any mode as RGB bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter.errors import ImageError
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

MODE_NAMES: dict[str, str] = {
    "RGB": "",
    "RGBX": "",
    "1": "bilevel",
    "L": "grey",
    "LA": "grey-alpha",
    "La": "grey-alpha",
    "P": "palette",
    "PA": "palette",
    "RGBA": "rgba",
    "RGBa": "rgba",
    "CMYK": "cmyk",
    "YCbCr": "ycbcr",
    "LAB": "lab",
    "HSV": "hsv",
    "I": "grey16",
    "I;16": "grey16",
    "I;16B": "grey16",
    "I;16L": "grey16",
    "I;16N": "grey16",
}
"""What each of Pillow's modes is called among the conversions; "" is plain RGB."""

_BAND = 1 << 22
"""Pixels that are turned into RGB at a time."""
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}

_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


def to_rgb(image: Image) -> NDArray[np.uint8]:
    """Pixels of `image` as uint8 H×W×3, C-contiguous.

    The bytes are those of Pillow's `image.convert("RGB")`, which torchvision's loader calls: alpha is dropped, not
    blended. The exception is 16-bit grey, where Pillow clips every value above 255 to white: there the high byte is
    taken, as Pillow itself does to 16-bit RGB, and as libpng's `png_set_strip_16` does for OpenCV and `torchvision.io`.

    Raises `ImageError`, with a reason and no file name, for a mode that has no defined white level.
    """
    import numpy as np

    if image.mode not in MODE_NAMES:
        raise ImageError(Message("Pillow mode {mode} cannot be converted to RGB", mode=image.mode))
    image.load()
    width, height = image.size
    rows = max(_BAND // max(width, 1), 1)
    if rows >= height:
        return _band(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):  # all at once would take several times the picture
        below = min(top + rows, height)
        pixels[top:below] = _band(image, (0, top, width, below))
    return pixels


def _band(whole: Image, box: tuple[int, int, int, int] | None = None) -> NDArray[np.uint8]:
    """The same of a part of the image; None: of all of it."""
    import numpy as np

    image = whole if box is None else whole.crop(box)
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = _high_byte(whole, image)
        return np.ascontiguousarray(np.broadcast_to(grey[:, :, None], (*grey.shape, 3)))
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode != "RGB":  # `convert` would copy an RGB image
        image = image.convert("RGB")
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8))


def _high_byte(image: Image, part: Image) -> NDArray[np.uint8]:
    """16-bit grey of a part as uint8 HxW; refuses what Pillow holds in the same modes but has another scale."""
    import numpy as np

    # Pillow holds 16-bit PNG and PNM as "I" (32 bits) in some versions; in any other format "I" has no known white.
    if image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise ImageError(Message("32-bit grey without a defined white level. Convert it to 8 or 16 bits"))
    tags = getattr(image, "tag_v2", {})
    if tuple(tags.get(_BITS_PER_SAMPLE, (16,))) != (16,) or tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        raise ImageError(Message("unsupported grey TIFF bit depth. Convert it to 8 or 16 bits"))
    return (np.asarray(part).astype(np.uint16) >> 8).astype(np.uint8)
