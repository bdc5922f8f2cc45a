"""Masks laid over their image, for the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from porter_segmentation.prediction import Points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from porter_segmentation.prediction import Classes

STRENGTH = 0.55
"""How much of the colour of its class a point has."""
CHANGED = (255, 0, 255)
GAP = 4
"""Pixels between the two pictures."""
SIDE = 280
"""Longer side of a picture, in pixels."""


def colours(count: int) -> NDArray[np.uint8]:
    """A colour for each class, uint8 count×3: the palette of Pascal VOC."""
    import numpy as np

    found = np.zeros((count, 3), np.uint8)
    for index in range(count):
        for bit in range(8):
            for channel in range(3):
                found[index, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return found


def overlaid(pixels: NDArray[np.uint8], reference: Points | None, candidate: Points | None) -> NDArray[np.uint8]:
    """The reference's classes over the image, and beside (or below a wide one) the candidate's, points that changed in
    magenta."""
    import numpy as np
    from PIL import Image

    small = Image.fromarray(pixels)
    small.thumbnail((SIDE, SIDE))
    image = np.asarray(small)
    first, second = _classes(reference, image), _classes(candidate, image)
    left, right = _over(image, first), _over(image, second)
    if first is not None and second is not None:
        right[first != second] = CHANGED
    axis = 0 if image.shape[1] > image.shape[0] else 1
    gap = np.full((GAP, image.shape[1], 3) if axis == 0 else (image.shape[0], GAP, 3), 255, np.uint8)
    return np.concatenate([left, gap, right], axis=axis)


def _classes(points: Points | None, image: NDArray[np.uint8]) -> Classes | None:
    import numpy as np

    if points is None:
        return None
    grid = points.classes
    rows, columns = (np.arange(image.shape[k]) * grid.shape[k] // image.shape[k] for k in range(2))
    return grid[np.ix_(rows, columns)]


def _over(image: NDArray[np.uint8], classes: Classes | None) -> NDArray[np.uint8]:
    import numpy as np

    if classes is None:
        return image.copy()
    paint = colours(int(classes.max()) + 1)[classes]
    return np.asarray((1 - STRENGTH) * image + STRENGTH * paint, np.uint8)
