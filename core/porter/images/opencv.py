"""OpenCV's JPEG decoder, used where it gives Pillow's pixels and is faster.

Both are built on libjpeg-turbo, but each wheel brings a build of its own. So before the first use the two are compared
in this process, on pictures of every kind that is handed to OpenCV. Where they differ, Pillow decodes everything, and
`unusable` says so.
"""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Any

from porter.errors import one_line
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
_SIZES = ((64, 48), (61, 47), (17, 33))
"""Width and height of the pictures that are compared: whole block groups, and parts of them."""


def decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """Pixels (uint8 H×W×3, RGB) of an ordinary JPEG, see `porter.images.jpeg.Layout`; None where OpenCV gives up.

    EXIF orientation is ignored. A JPEG whose data is damaged gives a picture all the same, and libjpeg writes a line to
    stderr: the caller must look whether it is whole.
    """
    import cv2
    import numpy as np

    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return pixels  # type: ignore[no-any-return]


@functools.cache
def unusable() -> Message | None:
    """Why OpenCV does not decode JPEGs in this process; None where it does. Takes a few milliseconds, once."""
    import numpy as np
    import PIL
    from PIL import Image

    try:
        import cv2

        if not hasattr(cv2, "IMREAD_COLOR_RGB"):
            return Message("OpenCV {version} is too old: decoding to RGB needs 4.11", version=cv2.__version__)
    except ImportError as error:  # also where a system library is missing
        return Message("OpenCV cannot be imported ({reason})", reason=one_line(error))
    for data in _pictures():
        with Image.open(io.BytesIO(data)) as image:
            wanted = np.asarray(image.convert("RGB"))
        found = decode_jpeg(data)
        if found is None or not np.array_equal(found, wanted):
            return Message(
                "OpenCV {version} and Pillow {pillow} decode the same JPEG to different pixels",
                version=cv2.__version__,
                pillow=PIL.__version__,
            )
    return None


def decoder() -> str:
    """What decodes ordinary JPEGs in this process, with its version."""
    if unusable() is None:
        import cv2

        return f"OpenCV {cv2.__version__}"
    import PIL

    return f"Pillow {PIL.__version__}"


def _pictures() -> list[bytes]:
    """Noise over a gradient, coded in every way that OpenCV is given to decode."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(7)
    pictures = []
    for width, height in _SIZES:
        slope = np.linspace(0, 255, width)[None, :, None] * np.array([1.0, 0.5, -1.0]) + np.array([0, 64, 255])
        noise = generator.integers(-40, 41, (height, width, 3))
        image = Image.fromarray(np.clip(slope + noise, 0, 255).astype(np.uint8))
        for sampling in _SAMPLINGS:
            for progressive in (False, True):
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=85, subsampling=sampling, progressive=progressive)
                pictures.append(buffer.getvalue())
    return pictures
