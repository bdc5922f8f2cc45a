"""What is told of an image while it is decoded anyway: its size, its EXIF orientation, and a print of its picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import msgspec

from porter.images.strict import strict_pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS, COLUMNS = 16, 17
"""Cells of a print: each row of 17 gives 16 comparisons, 256 in all."""
FINE = 8
"""Pixels of a cell along each axis, at least, where the image has as many: of more, some are passed over."""
STEP = 2.0
"""Grey levels by which a cell must exceed its right neighbour: below that, another JPEG quality turns it round."""
LEAST_STEPS = 48
"""Cells that must differ from their neighbour for a print to be one: blank pictures are all alike."""
PRINT_BYTES = ROWS * (COLUMNS - 1) // 8 + 3

_ORIENTATION_TAG = 0x0112
_EXIF_IN = 1 << 16
"""EXIF is looked for in so many first bytes: a JPEG's has to lie in the first segments, of 64 KB at most each."""


class Appearance(msgspec.Struct, frozen=True, array_like=True):
    """What one image file looks like."""

    height: int
    width: int
    orientation: int = 1
    """The EXIF orientation, 1 to 8; 1: upright."""
    print: str = ""
    """`picture_print` in hexadecimal digits; empty: the picture is too plain to have one."""


def appearance_of(data: bytes, pixels: NDArray[np.uint8]) -> Appearance:
    """What can be told of an image file and its pixels (uint8 H×W×3), in a tenth of a millisecond."""
    height, width = pixels.shape[:2]
    head = data[:_EXIF_IN]
    marked = b"Exif" in head or b"eXIf" in head or head[:2] in (b"II", b"MM")
    orientation = exif_orientation(data) if marked else 1
    return Appearance(height, width, orientation, picture_print(pixels).hex())


def exif_orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8, of an image file; 1, upright, where there is none or it cannot be read."""
    from PIL import Image

    try:
        with strict_pillow(), Image.open(io.BytesIO(data)) as image:
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # Pillow's plugins raise of every kind on bad data
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def picture_print(pixels: NDArray[np.uint8]) -> bytes:
    """32 bytes that say which cells of a 16×17 grid are brighter than their right neighbour, then the mean colour.

    Copies of a picture at another size or quality differ in a few of the bits that are set, other pictures in half of
    them. A large image costs no more than a small one. Empty for a plain picture.
    """
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    some = pixels[:: max(1, height // (ROWS * FINE)), :: max(1, width // (COLUMNS * FINE))]
    small = Image.fromarray(np.ascontiguousarray(some)).resize((COLUMNS, ROWS), Image.Resampling.BOX)
    cells = np.asarray(small, np.float32)
    steps = -np.diff(cells.mean(axis=2), axis=1)
    if (np.abs(steps) > STEP).sum() < LEAST_STEPS:
        return b""
    colour = np.rint(cells.mean(axis=(0, 1))).astype(np.uint8)
    return bytes(np.packbits(steps > STEP)) + bytes(colour)
