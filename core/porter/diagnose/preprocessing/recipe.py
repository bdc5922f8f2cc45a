"""A preprocessing pipeline as a list of choices, any of which may be wrong; a spec's own choices give the reference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from porter.errors import ImageError
from porter.images.decode import MAX_PIXELS
from porter.images.geometry import crop_corner, resized_size
from porter.images.pipeline import lookup_table
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from porter.diagnose.preprocessing.resizers import Pixels


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All choices of one pipeline, in the order in which they are applied."""

    oriented: bool = False
    """Whether the image is turned as its EXIF orientation says."""
    short: int | None
    """Pixels of the short side after the resize; None: `stretch`, or else no resize."""
    stretch: tuple[int, int] | None = None
    """Height and width after a resize that does not keep the aspect."""
    long_side: Literal["floor", "round"]
    """How the long side becomes a whole number."""
    method: str
    """See `porter.diagnose.preprocessing.resizers.resample`."""
    crop: tuple[int, int]
    corner: Literal["round", "floor", "ceil", "zero"] = "round"
    """How half a pixel at the crop's corner becomes a whole one; `zero`: the crop begins at the image's corner."""
    order: tuple[int, int, int]
    """Colour (0 red, 1 green, 2 blue) of each plane, before mean and std."""
    divisor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    flipped: bool = False
    """Whether the planes are put in reverse order after normalising."""
    layout: Literal["chw", "cwh", "hwc", "hwc-as-chw"] = "chw"
    """`hwc-as-chw`: the values in the order H×W×C, under the shape C×H×W."""
    rounded: str = ""
    """What the values were rounded to: `float16`, `bfloat16`, a step such as `1/16`, or a number of decimals."""
    mirrored: Literal["", "sides", "upside-down"] = ""
    gamma: float = 1.0
    """Exponent of the grey levels, taken as 0..1, before mean and std."""
    offset: tuple[int, int] = (0, 0)
    """Pixels by which the crop lies too low and too far right."""
    letterbox: tuple[int, int, int] | None = None
    """Colour beside an image that is resized to fit into the crop as a whole; None: it is not."""
    clip: tuple[float, float] | None = None
    """Range that values were cut to after mean and std."""

    @property
    def geometry(self) -> tuple[object, ...]:
        """What decides about the cropped pixels."""
        size = self.oriented, self.short, self.stretch, self.long_side, self.method
        return *size, self.crop, self.corner, self.offset, self.letterbox


def declared(spec: PreprocessSpec) -> Recipe:
    """The reference pipeline of `spec`: its tensors are those of `reference_pipeline`, bit for bit."""
    boxed, (library, _, name) = spec.fit == "letterbox", spec.interpolation.rpartition("_")
    return Recipe(
        short=None if spec.squash is not None or boxed else spec.resize,
        stretch=spec.squash,
        long_side=spec.long_side,
        method=f"{library or 'pillow'}:{name}",
        crop=spec.crop,
        order=(0, 1, 2) if spec.channels == "RGB" else (2, 1, 0),
        divisor=spec.divisor,
        mean=spec.mean,
        std=spec.std,
        letterbox=tuple(spec.pad * (3 // len(spec.pad))) if boxed else None,  # type: ignore[arg-type]
    )


def cropped(pixels: NDArray[np.uint8], orientation: int, recipe: Recipe) -> Pixels:
    """The geometry: uint8 or float32 crop_h×crop_w×3, RGB; zeros where the image is smaller.

    Raises `ImageError` where the resized image would exceed `porter.images.decode.MAX_PIXELS`.
    """
    import numpy as np

    from porter.diagnose.preprocessing.resizers import resample

    if recipe.oriented:
        pixels = _turned(pixels, orientation)
    if recipe.letterbox is not None:
        return _letterboxed(pixels, recipe, recipe.letterbox)
    height, width = _new_size(pixels.shape[0], pixels.shape[1], recipe)
    if height * width > MAX_PIXELS:
        raise ImageError(f"{height}x{width} pixels, more than the limit of {MAX_PIXELS}")
    sized = resample(pixels, height, width, recipe.method)
    crop_height, crop_width = recipe.crop
    top = _corner(height, crop_height, recipe.corner) + recipe.offset[0]
    left = _corner(width, crop_width, recipe.corner) + recipe.offset[1]
    inside = sized[max(0, top) : max(0, top + crop_height), max(0, left) : max(0, left + crop_width)]
    if inside.shape[:2] == recipe.crop:
        return inside
    framed = np.zeros((crop_height, crop_width, 3), sized.dtype)
    framed[max(0, -top) :, max(0, -left) :][: inside.shape[0], : inside.shape[1]] = inside
    return framed


def finished(crop: Pixels, recipe: Recipe, spec: PreprocessSpec) -> NDArray[np.float32]:
    """The values: float32 3×H×W, or as `recipe.layout` has it."""
    import numpy as np

    if recipe.mirrored:
        crop = crop[:, ::-1] if recipe.mirrored == "sides" else crop[::-1]
    if recipe.gamma != 1.0:
        crop = (255 * (np.maximum(crop, 0) / 255) ** recipe.gamma).astype(np.float32)
    out = np.empty((3, *crop.shape[:2]), np.float32)
    table = lookup_table(replace(spec, divisor=recipe.divisor, mean=recipe.mean, std=recipe.std))
    for c, source in enumerate(recipe.order):
        values = crop[:, :, source]
        if values.dtype == np.uint8:
            out[c] = table[c][values]
        else:
            scaled = values / np.float32(recipe.divisor)
            out[c] = (scaled - np.float32(recipe.mean[c])) / np.float32(recipe.std[c])
    if recipe.flipped:
        out = out[::-1]
    if recipe.layout == "cwh":
        out = out.transpose(0, 2, 1)
    elif recipe.layout != "chw":
        out = out.transpose(1, 2, 0)
        out = out.reshape(3, *crop.shape[:2]) if recipe.layout == "hwc-as-chw" else out
    if recipe.clip is not None:
        out = np.clip(out, *recipe.clip)
    return _rounded(out, recipe.rounded) if recipe.rounded else out


def _rounded(values: NDArray[np.float32], to: str) -> NDArray[np.float32]:
    import numpy as np

    if to == "float16":
        return values.astype(np.float16).astype(np.float32)
    if to == "bfloat16":
        bits = np.ascontiguousarray(values).view(np.uint32)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    if to.startswith("1/"):
        parts = np.float32(to[2:])
        return (np.round(values * parts) / parts).astype(np.float32)
    return np.round(values, int(to))


def _letterboxed(pixels: NDArray[np.uint8], recipe: Recipe, colour: tuple[int, int, int]) -> Pixels:
    import numpy as np

    from porter.diagnose.preprocessing.resizers import resample

    (crop_height, crop_width), (height, width) = recipe.crop, pixels.shape[:2]
    scale = min(crop_height / height, crop_width / width)
    height, width = max(1, round(height * scale)), max(1, round(width * scale))
    sized = resample(pixels, height, width, recipe.method)
    framed = np.empty((crop_height, crop_width, 3), sized.dtype)
    framed[:] = colour
    top, left = (crop_height - height) // 2, (crop_width - width) // 2
    framed[top : top + height, left : left + width] = sized
    return framed


def _new_size(height: int, width: int, recipe: Recipe) -> tuple[int, int]:
    if recipe.stretch is not None:
        return recipe.stretch
    if recipe.short is None:
        return height, width
    return resized_size(height, width, recipe.short, recipe.long_side)


def _corner(size: int, crop: int, rule: str) -> int:
    if rule == "zero":
        return 0
    if rule == "round":
        return crop_corner(size, crop)
    return (size - crop) // 2 if rule == "floor" else -((crop - size) // 2)


def _turned(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The pixels upright: Exif 2.32, tag 274, says on which side of the picture row 0 and column 0 are."""
    import numpy as np

    turned = pixels
    if orientation >= 5:
        turned = turned.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)
