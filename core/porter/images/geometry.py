"""The geometry of the reference pipeline: an image, or an item's box in it, to as many pixels as the input has.

Each has a transform, 2×3: coordinates in the input to those in the image, `x = t[0, 0] * u + t[0, 1] * v + t[0, 2]`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from porter.errors import ImageError
from porter.images import resample
from porter.images.decode import MAX_PIXELS
from porter.records.message import Message
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Size = tuple[int, int]
"""Height and width."""
OPENCV = "opencv_"
"""What the names of OpenCV's interpolations begin with."""
PILLOWS = {"bilinear": "linear", "bicubic": "cubic", "lanczos": "lanczos4"}
"""OpenCV's names of what a box is warped by, where Pillow's is declared."""
STANDARD = 200.0
"""Pixels that Sun et al. (see `affine_of`) count the scale of a box in; it cancels but for rounding."""


def resized_size(height: int, width: int, short: int, long_side: Literal["floor", "round"] = "floor") -> Size:
    """Height and width in pixels once the short side is `short`.

    `floor` cuts the long side to a whole number, as torchvision's `_compute_resized_output_size` does.
    """
    whole = round if long_side == "round" else int
    if width <= height:
        return whole(short * height / width), short
    return short, whole(short * width / height)


def crop_corner(size: int, crop: int) -> int:
    """First pixel of a centre crop along one axis, negative where the image is smaller: torchvision's `center_crop`.

    Halves round to even, as Python's `round` does. Zeros fill what lies outside; a spare pixel of them goes to the end.
    """
    if crop > size:
        return -((crop - size) // 2)
    return round((size - crop) / 2.0)


def new_size(size: Size, spec: PreprocessSpec) -> Size:
    """Height and width that an image of `size` has after the resize; `box` has none."""
    height, width = size
    if spec.fit == "cover":
        return spec.squash or resized_size(height, width, spec.resize, spec.long_side)
    if spec.fit == "long_side":
        whole = round if spec.long_side == "round" else int
        return tuple(max(1, whole(side * spec.resize / max(size))) for side in size)  # type: ignore[return-value]
    if spec.fit == "letterbox":
        scale = min(spec.crop[0] / height, spec.crop[1] / width)
        scale = scale if spec.enlarge else min(scale, 1.0)
        return max(1, round(height * scale)), max(1, round(width * scale))
    return size


def placed(pixels: NDArray[np.uint8], spec: PreprocessSpec, box: Box | None = None) -> NDArray[np.uint8]:
    """`pixels` (uint8 H×W×C) by the geometry of `spec`: uint8 of the input's height and width, ×C.

    Raises `ImageError` where the resized image would exceed `porter.images.decode.MAX_PIXELS`.
    """
    if spec.fit == "box":
        return _warped(pixels, spec, box)
    old = height, width = pixels.shape[0], pixels.shape[1]
    size = new_size(old, spec)
    if size[0] * size[1] > MAX_PIXELS:
        raise ImageError(
            Message(
                "{size} pixels would become {new} with short side {short}, more than the limit of {limit} pixels",
                size=f"{width}×{height}",
                new=f"{size[1]}×{size[0]}",
                short=min(size),
                limit=MAX_PIXELS,
            )
        )
    if spec.fit == "cover":
        corner = crop_corner(size[0], spec.crop[0]), crop_corner(size[1], spec.crop[1])
        return _window(pixels, size, corner, spec.crop, spec.interpolation)
    whole = _window(pixels, size, (0, 0), size, spec.interpolation)
    target, corner = frame(size, spec)
    return whole if target == size else _padded(whole, target, corner, spec.pad)


def frame(size: Size, spec: PreprocessSpec) -> tuple[Size, tuple[int, int]]:
    """Height and width of the input that a resized image of `size` is padded to, and its first row and column there."""
    if spec.fit == "letterbox":
        at_end = spec.pad_at == "end"
        rest = spec.crop[0] - size[0], spec.crop[1] - size[1]
        return spec.crop, (0, 0) if at_end else (rest[0] // 2, rest[1] // 2)
    return (_up(size[0], spec.multiple), _up(size[1], spec.multiple)), (0, 0)


def to_image(spec: PreprocessSpec, size: Size, box: Box | None = None) -> NDArray[np.float64]:
    """The transform of an image of `size` (height, width): float64 2×3, from the input to the image.

    A point is counted from the left and upper edge of the first pixel; after `box` from its middle, as
    `cv2.warpAffine` has it.
    """
    import numpy as np

    if spec.fit == "box":
        inverse: Any = _inverse(affine_of(spec, box or _whole(size)))
        return inverse  # type: ignore[no-any-return]
    new = new_size(size, spec)
    if spec.fit == "cover":
        top, left = -crop_corner(new[0], spec.crop[0]), -crop_corner(new[1], spec.crop[1])
    else:
        top, left = frame(new, spec)[1]
    y, x = size[0] / new[0], size[1] / new[1]
    return np.array([[x, 0.0, -left * x], [0.0, y, -top * y]])


def affine_of(spec: PreprocessSpec, box: Box) -> NDArray[np.float64]:
    """From the image to the input, float64 2×3: the box at its aspect and scale, as the code of Sun et al., arXiv
    1902.09212, computes it (`lib/dataset/coco.py`, `_xywh2cs`; `lib/utils/transforms.py`, `get_affine_transform`)."""
    import cv2
    import numpy as np

    left, top, width, height = box
    centre = np.array([left + width * 0.5, top + height * 0.5], np.float32)
    aspect = spec.crop[1] * 1.0 / spec.crop[0]
    if width > aspect * height:
        height = width / aspect
    elif width < aspect * height:
        width = height * aspect
    scale = np.array([width / STANDARD, height / STANDARD], np.float32) * np.float32(spec.box_scale)
    across = scale[0] * np.float32(STANDARD)
    there, here = np.zeros((3, 2), np.float32), np.zeros((3, 2), np.float32)
    there[0], there[1] = centre, centre + np.array([0, across * -0.5], np.float32)
    middle = np.array([spec.crop[1] * 0.5, spec.crop[0] * 0.5], np.float32)
    here[0], here[1] = middle, middle + np.array([0, spec.crop[1] * -0.5], np.float32)
    for points in (there, here):
        direct = points[0] - points[1]
        points[2] = points[1] + np.array([-direct[1], direct[0]], np.float32)
    found: Any = cv2.getAffineTransform(there, here)
    return found  # type: ignore[no-any-return]


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`pixels` (uint8 H×W×3, RGB) as uint8 H×W×1: Pillow's `convert("L")`, ITU-R 601-2."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).convert("L"))[:, :, None]


def _warped(pixels: NDArray[np.uint8], spec: PreprocessSpec, box: Box | None) -> NDArray[np.uint8]:
    import cv2

    height, width = pixels.shape[:2]
    matrix = affine_of(spec, box or _whole((height, width)))
    fill = spec.pad if len(spec.pad) > 1 else spec.pad * 3
    warped: Any = cv2.warpAffine(
        pixels,
        matrix,
        (spec.crop[1], spec.crop[0]),
        flags=_opencv(spec.interpolation),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=fill,
    )
    return warped.reshape(*spec.crop, pixels.shape[2])  # type: ignore[no-any-return]


def _window(
    pixels: NDArray[np.uint8], size: Size, corner: tuple[int, int], window: Size, name: str
) -> NDArray[np.uint8]:
    """`pixels` resized to `size`, and `window` of it from `corner` on; zeros outside."""
    import numpy as np
    from PIL import Image

    old = pixels.shape[0], pixels.shape[1]
    (top, left), channels = corner, pixels.shape[2]
    inside = top >= 0 and left >= 0 and top + window[0] <= size[0] and left + window[1] <= size[1]
    if size != old and name.startswith(OPENCV):
        pixels = _resized_by_opencv(pixels, size, name)
    elif size != old and inside and channels == 3 and resample.covers(old, size, name) and resample.unusable() is None:
        return resample.resize_window(pixels, size, corner, window, name)
    elif size != old:
        image = Image.fromarray(pixels if channels > 1 else pixels[:, :, 0])
        image = image.resize((size[1], size[0]), Image.Resampling[name.upper()])
        pixels = np.asarray(image).reshape(*size, channels)
    if inside:
        return pixels[top : top + window[0], left : left + window[1]]
    # Pillow fills what lies outside with zeros.
    image = Image.fromarray(pixels if channels > 1 else pixels[:, :, 0])
    framed = image.crop((left, top, left + window[1], top + window[0]))
    return np.asarray(framed).reshape(*window, channels)


def _resized_by_opencv(pixels: NDArray[np.uint8], size: Size, name: str) -> NDArray[np.uint8]:
    import cv2

    resized: Any = cv2.resize(pixels, (size[1], size[0]), interpolation=_opencv(name))
    return resized.reshape(*size, pixels.shape[2])  # type: ignore[no-any-return]


def _opencv(name: str) -> int:
    import cv2

    plain = name.removeprefix(OPENCV)
    found: int = getattr(cv2, f"INTER_{PILLOWS.get(plain, plain).upper()}")
    return found


def _padded(
    pixels: NDArray[np.uint8], target: Size, corner: tuple[int, int], pad: tuple[int, ...]
) -> NDArray[np.uint8]:
    import numpy as np

    framed = np.empty((*target, pixels.shape[2]), np.uint8)
    framed[:] = pad
    framed[corner[0] : corner[0] + pixels.shape[0], corner[1] : corner[1] + pixels.shape[1]] = pixels
    return framed


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    inverse: Any = cv2.invertAffineTransform(matrix)
    return inverse  # type: ignore[no-any-return]


def _whole(size: Size) -> Box:
    return 0.0, 0.0, float(size[1]), float(size[0])


def _up(size: int, multiple: int) -> int:
    return math.ceil(size / multiple) * multiple
