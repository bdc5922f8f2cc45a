"""Resizing as other libraries and other settings do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.float32]

OPENCV = {"linear": 1, "cubic": 2, "area": 3, "nearest": 0, "lanczos4": 4}
"""OpenCV's `InterpolationFlags` by name, the most usual first."""


def opencv_problem() -> Message | None:
    """Why OpenCV's resize cannot be tried here; None where it can."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:  # also where a system library is missing
        return Message("OpenCV's resize was not tried: {reason}. Install opencv-python-headless", reason=str(error))
    return None


def resample(pixels: NDArray[np.uint8], height: int, width: int, method: str) -> Pixels:
    """`pixels` (uint8 H×W×3) at another size by `method`, `LIBRARY:FILTER`; unchanged where the size is the same.

    `pillow:F` is Pillow on bytes, antialiased; `float:F` the same filter without rounding to bytes; `plain:F` without
    antialias and without rounding, sampled at pixel centres as `torch.nn.functional.interpolate` does by default;
    `bytes:F` that, rounded to bytes; `aligned:F` and `asymmetric:F` are `plain:F` with the corner pixels of both
    pictures on each other, and with their edges but not their centres; `opencv:F` is `cv2.resize`.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    library, _, name = method.partition(":")
    match library:
        case "pillow":
            return _pillow(pixels, height, width, name)
        case "float":
            return _float(pixels, height, width, name)
        case "plain" | "aligned" | "asymmetric":
            return _plain(pixels, height, width, name, library)
        case "bytes":
            return _to_bytes(_plain(pixels, height, width, name))
        case "opencv":
            return _opencv(pixels, height, width, name)
    raise ValueError(f"no such resampling: {method}")


def _pillow(pixels: NDArray[np.uint8], height: int, width: int, name: str) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling[name.upper()]))


def _float(pixels: NDArray[np.uint8], height: int, width: int, name: str) -> NDArray[np.float32]:
    import numpy as np
    from PIL import Image

    planes = [Image.fromarray(pixels[:, :, c].astype(np.float32)) for c in range(3)]
    sized = [np.asarray(plane.resize((width, height), Image.Resampling[name.upper()])) for plane in planes]
    return np.stack(sized, axis=2)


def _opencv(pixels: NDArray[np.uint8], height: int, width: int, name: str) -> NDArray[np.uint8]:
    import cv2

    resized: Any = cv2.resize(pixels, (width, height), interpolation=OPENCV[name])
    return resized  # type: ignore[no-any-return]


def _plain(pixels: NDArray[np.uint8], height: int, width: int, name: str, grid: str = "plain") -> NDArray[np.float32]:
    rows = _sample(pixels, height, 0, name, grid)
    return _sample(rows, width, 1, name, grid)


def _sample(values: Pixels, size: int, axis: int, name: str, grid: str) -> NDArray[np.float32]:
    """One axis by interpolation between the pixels next to each new centre; the edge pixel goes on outside."""
    import numpy as np

    old = values.shape[axis]
    centre = (np.arange(size) + 0.5) * (old / size) - 0.5
    if grid == "aligned":
        centre = np.arange(size) * ((old - 1) / max(size - 1, 1))
    elif grid == "asymmetric":
        centre = np.arange(size) * (old / size)
    first = np.floor(centre).astype(np.int64)
    result = np.zeros([size if a == axis else n for a, n in enumerate(values.shape)], np.float32)
    for tap, weight in _weights(centre - first, name):
        near = np.take(values, np.clip(first + tap, 0, old - 1), axis=axis)
        result += near * weight.astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return result


def _weights(t: NDArray[np.float64], name: str) -> list[tuple[int, NDArray[np.float64]]]:
    """Weights of the pixels at each offset from the one left of the centre, which lies `t` to its right."""
    if name == "bilinear":
        return [(0, 1 - t), (1, t)]
    a = -0.75  # Keys' cubic as torch and OpenCV have it; Pillow's filter has -0.5

    def near(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [(-1, far(1 + t)), (0, near(t)), (1, near(1 - t)), (2, far(2 - t))]


def _to_bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    import numpy as np

    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
