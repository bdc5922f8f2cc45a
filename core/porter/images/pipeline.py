"""The reference preprocessing: torchvision's Resize, CenterCrop, ToTensor and Normalize on PIL images, bit for bit.

`tests/golden/preprocess.json` holds digests of torchvision's own tensors.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

from porter.errors import BadInput, ImageError
from porter.images import resample
from porter.images.decode import MAX_PIXELS
from porter.records.message import Message
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def resized_size(
    height: int, width: int, short: int, long_side: Literal["floor", "round"] = "floor"
) -> tuple[int, int]:
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


@functools.lru_cache(maxsize=16)
def lookup_table(spec: PreprocessSpec) -> NDArray[np.float32]:
    """float32 3×256: row c holds `(v / divisor - mean[c]) / std[c]` for v = 0..255, each step rounded to float32.

    Channel c is counted after the channel order was applied: with `channels="BGR"`, row 0, `mean[0]` and `std[0]` are
    blue's. Raises `BadInput` for a spec that cannot be computed.
    """
    import numpy as np

    if len(spec.mean) != 3 or len(spec.std) != 3:
        raise BadInput(f"preprocess: mean and std need 3 values each, got {len(spec.mean)} and {len(spec.std)}")
    with np.errstate(all="ignore"):  # what overflows is found below
        scaled = np.arange(256, dtype=np.float32) / np.float32(spec.divisor)
        mean, std = np.asarray(spec.mean, np.float32)[:, None], np.asarray(spec.std, np.float32)[:, None]
        table: NDArray[np.float32] = (scaled - mean) / std
    if not np.isfinite(table).all():
        raise BadInput(f"preprocess: divisor {spec.divisor}, mean {spec.mean} and std {spec.std} give infinite values")
    table.flags.writeable = False
    return table


def reference_pipeline(
    pixels: NDArray[np.uint8], spec: PreprocessSpec, out: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """`pixels` (uint8 H×W×3, RGB) as the model's input: float32 3×crop_h×crop_w, in the order `spec.channels`.

    Steps: resize so that the short side is `spec.resize`, or to `spec.squash` (none where it is already), centre crop,
    zero padding where the image is smaller than the crop (before normalising, so the border is `(0 - mean) / std`),
    normalise.
    `out`, float32 of that shape, is filled and returned where given, e.g. one slot of a batch.

    Raises `ImageError` where the resized image would exceed `porter.images.decode.MAX_PIXELS` (a 1×10000 image at 256
    becomes 256×2560000), and `BadInput` for an impossible spec.
    """
    import numpy as np

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels must be uint8 H×W×3, got {pixels.dtype} {pixels.shape}")
    crop_height, crop_width = spec.crop
    if min(spec.resize, crop_height, crop_width) < 1:
        raise BadInput(f"preprocess: resize {spec.resize} and crop {spec.crop} must be at least 1 pixel")
    table = lookup_table(spec)
    if out is None:
        out = np.empty((3, crop_height, crop_width), np.float32)
    elif out.shape != (3, crop_height, crop_width) or out.dtype != np.float32:
        raise ValueError(f"out must be float32 {(3, crop_height, crop_width)}, got {out.dtype} {out.shape}")

    _look_up(_resized_and_cropped(pixels, spec), table, (0, 1, 2) if spec.channels == "RGB" else (2, 1, 0), out)
    return out


def _look_up(
    cropped: NDArray[np.uint8], table: NDArray[np.float32], order: tuple[int, int, int], out: NDArray[np.float32]
) -> None:
    """Channel `order[c]` of `cropped` (uint8 H×W×3) by row c of `table` (float32 3×256) into `out[c]`."""
    import numpy as np

    if resample.unusable() is None and cropped.flags.c_contiguous and out.flags.c_contiguous:
        from porter.images.compiled import look_up

        look_up()(cropped, table, np.array(order, np.int32), out)
        return
    for c, source in enumerate(order):
        # A byte is always within the table: "clip" only spares numpy the range check and a buffer.
        np.take(table[c], cropped[:, :, source], out=out[c], mode="clip")


def _resized_and_cropped(pixels: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """uint8 crop_h×crop_w×3."""
    import numpy as np
    from PIL import Image

    old = height, width = pixels.shape[0], pixels.shape[1]
    size = new_height, new_width = spec.squash or resized_size(height, width, spec.resize, spec.long_side)
    if new_height * new_width > MAX_PIXELS:
        raise ImageError(
            Message(
                "{size} pixels would become {new} with short side {short}, more than the limit of {limit} pixels",
                size=f"{width}×{height}",
                new=f"{new_width}×{new_height}",
                short=spec.resize,
                limit=MAX_PIXELS,
            )
        )
    top, left = crop_corner(new_height, spec.crop[0]), crop_corner(new_width, spec.crop[1])
    inside = spec.crop[0] <= new_height and spec.crop[1] <= new_width
    if size != old and inside and resample.covers(old, size, spec.interpolation) and resample.unusable() is None:
        return resample.resize_window(pixels, size, (top, left), spec.crop, spec.interpolation)
    image = Image.fromarray(pixels)
    if size != old:
        image = image.resize((new_width, new_height), Image.Resampling[spec.interpolation.upper()])
    # Pillow fills what lies outside with zeros.
    return np.asarray(image.crop((left, top, left + spec.crop[1], top + spec.crop[0])))
