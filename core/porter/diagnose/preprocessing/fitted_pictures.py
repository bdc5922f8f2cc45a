"""The gamma, and the shift of the crop, that bring the reference's tensors nearest to the samples'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from porter.diagnose.preprocessing.fault_trial import Trial
from porter.diagnose.preprocessing.recipe import Recipe
from porter.errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FARTHEST, STEP = 16, 3
"""Pixels by which a crop may be shifted; every so many pixels are compared."""


def fitted_gamma(trials: Sequence[Trial], recipe: Recipe) -> float | None:
    """The exponent of the grey levels, by least squares of their logarithms; None where there is none but 1."""
    import numpy as np

    before, after = [], []
    for trial in trials:
        tensor = trial.sample.tensor
        try:
            crop = trial.crop(recipe)
        except ImageError:
            return None
        if tensor.shape != (3, *crop.shape[:2]) or not np.isfinite(tensor).all():
            return None
        for plane, source in enumerate(recipe.order):
            levels = (tensor[plane].astype(np.float64) * recipe.std[plane] + recipe.mean[plane]) * recipe.divisor
            before.append(crop[:, :, source].ravel().astype(np.float64) / 255)
            after.append(levels.ravel() / 255)
    x, y = np.concatenate(before), np.concatenate(after)
    usable = (x > 0.02) & (x < 0.98) & (y > 1e-4)
    if usable.mean() < 0.1:
        return None
    logs = np.log(x[usable])
    gamma = float((logs * np.log(y[usable])).sum() / (logs**2).sum())
    return gamma if 0.1 < gamma < 10 and abs(gamma - 1) > 0.01 else None


def fitted_shift(trials: Sequence[Trial], recipe: Recipe) -> tuple[int, int] | None:
    """Pixels down and right by which the crop is shifted, told from the first sample that differs.

    None where no shift brings its tensor to less than half of the difference that none leaves.
    """
    import numpy as np

    trial = next((one for one in trials if one.differs), None)
    if trial is None or trial.sample.tensor.shape != trial.reference.shape:
        return None
    height, width = recipe.crop
    wide = trial.render(replace(recipe, crop=(height + 2 * FARTHEST, width + 2 * FARTHEST)))
    corner = None if wide is None else _place(wide, trial.reference)
    if wide is None or corner is None:
        return None
    tensor = trial.sample.tensor[:, ::STEP, ::STEP]
    found: dict[tuple[int, int], float] = {}
    for down in range(-FARTHEST, FARTHEST + 1):
        for right in range(-FARTHEST, FARTHEST + 1):
            top, left = max(corner[0] + down, 0), max(corner[1] + right, 0)
            part = wide[:, top : top + height : STEP, left : left + width : STEP]
            if part.shape == tensor.shape:
                found[down, right] = float(np.abs(part - tensor).mean())
    best = min(found, key=lambda shift: found[shift], default=(0, 0))
    return best if best != (0, 0) and found[best] < found.get((0, 0), np.inf) / 2 else None


def _place(wide: NDArray[np.float32], narrow: NDArray[np.float32]) -> tuple[int, int] | None:
    """Where the narrow crop lies in the wide one: in the middle, give or take a pixel by rounding."""
    import numpy as np

    height, width = narrow.shape[1:]
    near = (FARTHEST, FARTHEST - 1, FARTHEST + 1)
    places = [(top, left) for top in near for left in near]
    same = (at for at in places if np.array_equal(wide[:, at[0] : at[0] + height, at[1] : at[1] + width], narrow))
    return next(same, None)
