"""One image, its tensor from the pipeline under test, and how far any recipe is from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from porter.diagnose.preprocessing.recipe import Recipe, cropped, finished
from porter.errors import ImageError
from porter.images.appearance import exif_orientation
from porter.images.pipeline import reference_pipeline
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from porter.diagnose.preprocessing.resizers import Pixels

ALLOWED = 1e-6
"""Difference from the reference, in units of the tensor, that counts as none."""
ROUNDING = 1e-4
"""Largest residual that counts as rounding, times the tensor's largest value where that is above 1: about a hundredth
of a grey level. Libraries that resize in float32 differ by that much; rounding to float16 leaves more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One image and what the pipeline under test made of it."""

    id: str
    data: bytes
    """The image file, for its EXIF orientation; empty: upright."""
    pixels: NDArray[np.uint8]
    """uint8 H×W×3, RGB, as `porter.images.decode.decode` gives them."""
    tensor: NDArray[np.float32]
    """float32, C×H×W where all is well."""


@dataclass(frozen=True)
class Distance:
    """Largest and mean absolute difference of two tensors; infinite where their shapes differ."""

    largest: float
    mean: float


class Trial:
    """Compares recipes with one sample. Cropped pixels are kept once `keep` is set, since many recipes share them."""

    def __init__(self, sample: Sample, spec: PreprocessSpec) -> None:
        import numpy as np

        self.sample, self.spec, self.keep = sample, spec, False
        self.reference = reference_pipeline(sample.pixels, spec)
        self.before = distance(sample.tensor, self.reference)
        self.differs = not self.before.largest <= ALLOWED
        self.rounding = ROUNDING * max(1.0, float(np.abs(sample.tensor).max(initial=0.0)))
        self._orientation = exif_orientation(sample.data)
        self._crops: dict[tuple[object, ...], Pixels] = {}

    def crop(self, recipe: Recipe) -> Pixels:
        """The recipe's cropped pixels; raises `ImageError` where its resize would be too large."""
        if (known := self._crops.get(recipe.geometry)) is not None:
            return known
        crop = cropped(self.sample.pixels, self._orientation, recipe)
        if self.keep:
            self._crops[recipe.geometry] = crop
        return crop

    def render(self, recipe: Recipe) -> NDArray[np.float32] | None:
        """The recipe's tensor; None where its resize would be too large."""
        try:
            return finished(self.crop(recipe), recipe, self.spec)
        except ImageError:
            return None

    def distance(self, recipe: Recipe) -> Distance:
        """How far the sample's tensor is from the recipe's."""
        return distance(self.sample.tensor, self.render(recipe))

    def compare(self, recipe: Recipe) -> tuple[Distance, bool]:
        """`distance`, and whether the recipe's tensor differs from the reference: whether its fault shows here."""
        tensor = self.render(recipe)
        return distance(self.sample.tensor, tensor), not distance(self.reference, tensor).largest <= ALLOWED


def distance(a: NDArray[np.float32], b: NDArray[np.float32] | None) -> Distance:
    """Of two tensors."""
    import numpy as np

    if b is None or a.shape != b.shape:
        return Distance(float("inf"), float("inf"))
    with np.errstate(invalid="ignore"):  # infinity less infinity
        difference = np.abs(a - b)
    return Distance(float(difference.max(initial=0.0)), float(difference.mean(dtype=np.float64)))


def fitted(trials: Sequence[Trial], recipe: Recipe) -> Recipe | None:
    """`recipe` with the mean and std, one for each plane, that bring its tensors nearest to the samples'.

    Least squares over all images, for tensors C×H×W. None where that has no answer: a plane of one value, a std < 0.
    """
    import numpy as np

    try:
        crops = [trial.crop(recipe) for trial in trials]
    except ImageError:
        return None
    if any(trial.sample.tensor.shape != (3, *crop.shape[:2]) for trial, crop in zip(trials, crops, strict=True)):
        return None
    mean, std = [], []
    for plane, source in enumerate(recipe.order):
        x = np.concatenate([crop[:, :, source].ravel() for crop in crops]).astype(np.float64) / recipe.divisor
        y = np.concatenate([trial.sample.tensor[plane].ravel() for trial in trials]).astype(np.float64)
        x_mean, y_mean = x.mean(), y.mean()
        spread = float(((x - x_mean) ** 2).sum())
        slope = float(((x - x_mean) * (y - y_mean)).sum()) / spread if spread else 0.0
        if not slope > 0:
            return None
        std.append(1 / slope)
        mean.append(float(x_mean - y_mean / slope))
    return replace(recipe, mean=tuple(mean), std=tuple(std))
