"""The reference preprocessing: for photos torchvision's Resize, CenterCrop, ToTensor and Normalize on PIL images, bit
for bit; further geometries are those of `porter.images.geometry`.

`tests/golden/preprocess.json` holds digests of torchvision's own tensors.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from porter.errors import BadInput
from porter.images import resample
from porter.images.geometry import Box, grey, placed
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


_ORDER: dict[str, tuple[int, ...]] = {"RGB": (0, 1, 2), "BGR": (2, 1, 0), "GRAY": (0,)}
"""Which channel of the pixels each of the model's is."""


@functools.lru_cache(maxsize=16)
def lookup_table(spec: PreprocessSpec) -> NDArray[np.float32]:
    """float32 C×256: row c holds `(v / divisor - mean[c]) / std[c]` for v = 0..255, each step rounded to float32.

    Channel c is counted after the channel order was applied: with `channels="BGR"`, row 0, `mean[0]` and `std[0]` are
    blue's. Raises `BadInput` for a spec that cannot be computed.
    """
    import numpy as np

    channels = channels_of(spec)
    if len(spec.mean) != channels or len(spec.std) != channels:
        raise BadInput(
            f"preprocess: mean and std need {channels} values each, got {len(spec.mean)} and {len(spec.std)}"
        )
    with np.errstate(all="ignore"):  # what overflows is found below
        scaled = np.arange(256, dtype=np.float32) / np.float32(spec.divisor)
        mean, std = np.asarray(spec.mean, np.float32)[:, None], np.asarray(spec.std, np.float32)[:, None]
        table: NDArray[np.float32] = (scaled - mean) / std
    if not np.isfinite(table).all():
        raise BadInput(f"preprocess: divisor {spec.divisor}, mean {spec.mean} and std {spec.std} give infinite values")
    table.flags.writeable = False
    return table


def channels_of(spec: PreprocessSpec) -> int:
    """Channels of the input."""
    return len(_ORDER[spec.channels])


def row_shape(spec: PreprocessSpec) -> tuple[int, int, int] | None:
    """C×H×W of every input; None where each image gives its own."""
    return None if spec.is_free or min(spec.crop) < 1 else (channels_of(spec), *spec.crop)


def reference_pipeline(
    pixels: NDArray[np.uint8], spec: PreprocessSpec, out: NDArray[np.float32] | None = None, box: Box | None = None
) -> NDArray[np.float32]:
    """`pixels` (uint8 H×W×3, RGB) as the model's input: float32 C×H×W, channels in the order `spec.channels`.

    Steps: to grey where that is asked for, geometry (`porter.images.geometry.placed`: of `cover` a resize so that the
    short side is `spec.resize`, or to `spec.squash`, none where it is already, and a centre crop), zero padding where
    the image is smaller than the crop (before normalising, so the border is `(0 - mean) / std`), normalise.
    `out`, float32 of that shape, is filled and returned where given, e.g. one slot of a batch. `box` is the item's,
    for the geometry of that name.

    Raises `ImageError` where the resized image would exceed `porter.images.decode.MAX_PIXELS` (a 1×10000 image at 256
    becomes 256×2560000), and `BadInput` for an impossible spec.
    """
    import numpy as np

    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ValueError(f"pixels must be uint8 H×W×3, got {pixels.dtype} {pixels.shape}")
    if (spec.fit in ("cover", "long_side") and spec.resize < 1) or (not spec.is_free and min(spec.crop) < 1):
        raise BadInput(f"preprocess: resize {spec.resize} and crop {spec.crop} must be at least 1 pixel")
    table, fixed = lookup_table(spec), row_shape(spec)
    if out is not None and (out.shape != fixed or out.dtype != np.float32):
        raise ValueError(f"out must be float32 {fixed}, got {out.dtype} {out.shape}")
    framed = placed(grey(pixels) if spec.channels == "GRAY" else pixels, spec, box)
    if out is None:
        out = np.empty((len(table), *framed.shape[:2]), np.float32)
    _look_up(framed, table, _ORDER[spec.channels], out)
    return out


def _look_up(
    cropped: NDArray[np.uint8], table: NDArray[np.float32], order: tuple[int, ...], out: NDArray[np.float32]
) -> None:
    """Channel `order[c]` of `cropped` (uint8 H×W×C) by row c of `table` (float32 C×256) into `out[c]`."""
    import numpy as np

    if len(order) == 3 and resample.unusable() is None and cropped.flags.c_contiguous and out.flags.c_contiguous:
        from porter.images.compiled import look_up

        look_up()(cropped, table, np.array(order, np.int32), out)
        return
    for c, source in enumerate(order):
        # A byte is always within the table: "clip" only spares numpy the range check and a buffer.
        np.take(table[c], cropped[:, :, source], out=out[c], mode="clip")
