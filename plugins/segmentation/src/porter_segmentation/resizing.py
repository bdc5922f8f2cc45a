"""From what a network gives to the class of every pixel of the image, through the transform of its preprocessing.

Logits are resized bilinearly with the corners of pixels aligned by their edges (`align_corners=False`), then the class
with the highest one is taken, as the authors of HRNet's segmentation networks evaluate (`lib/core/function.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter import BadInput, PreprocessSpec, to_image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from porter_segmentation.prediction import Classes

BAND = 1 << 17
"""Pixels that are resized at a time: a band of rows, small enough to stay in the processor's cache."""

Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Axis:
    """Where the pixels of an image lie along one axis of the outputs."""

    place: NDArray[np.float64]
    """Of the middle of each pixel, counted from the middle of the first value."""
    count: int
    """Values of the outputs along it."""
    seen: NDArray[np.bool_]
    """Whether the network sees the pixel."""

    def nearest(self) -> NDArray[np.intp]:
        """The value that each pixel lies in."""
        import numpy as np

        return np.floor(self.place + 0.5).clip(0, self.count - 1).astype(np.intp)

    def between(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """The two values that each pixel lies between, and its way from the one to the other, 0..1."""
        import numpy as np

        place = self.place.clip(0, self.count - 1)
        low = np.floor(place).astype(np.intp)
        return low, np.minimum(low + 1, self.count - 1), (place - low).astype(np.float32)


def axes_of(outputs: Size, image: Size, declared: PreprocessSpec | None) -> tuple[Axis, Axis]:
    """Rows and columns of an image of `image` pixels (height, width) in outputs of `outputs` values."""
    if declared is None:
        return _axis(outputs[0], image[0], 0.0, image[0] / outputs[0]), _axis(
            outputs[1], image[1], 0.0, image[1] / outputs[1]
        )
    turn = to_image(declared, image)
    sizes = input_size(image, declared)
    scales, starts = (float(turn[1, 1]), float(turn[0, 0])), (float(turn[1, 2]), float(turn[0, 2]))
    rows, columns = (_axis(outputs[k], image[k], starts[k], scales[k] * sizes[k] / outputs[k]) for k in range(2))
    return rows, columns


def input_size(image: Size, declared: PreprocessSpec) -> Size:
    """Height and width of the input that an image becomes."""
    if not declared.is_free:
        return declared.crop
    turn = to_image(declared, image)
    resized = round(image[0] / turn[1, 1]), round(image[1] / turn[0, 0])
    return _up(resized[0], declared.multiple), _up(resized[1], declared.multiple)


def classes_by_logits(logits: NDArray[np.float32], axes: tuple[Axis, Axis]) -> Classes:
    """Logits (C×h×w) to the class of every pixel (H×W), the lower one of equals; C where it is not seen."""
    import numpy as np

    rows, columns = axes
    found = np.zeros((len(rows.place), len(columns.place)), kind_of(len(logits)))
    above, below, down = rows.between()
    left, right, along = columns.between()
    step = max(1, BAND // max(1, len(left)))
    for start in range(0, len(above), step):
        band = slice(start, start + step)
        best: NDArray[np.float32] | None = None
        part = found[band]
        for index, plane in enumerate(_planes(logits)):
            upper = plane[above[band]]
            mixed = upper + (plane[below[band]] - upper) * down[band, None]
            first = mixed[:, left]
            values = first + (mixed[:, right] - first) * along
            if best is None:
                best = values
                continue
            higher = values > best
            np.copyto(best, values, where=higher)
            np.copyto(part, found.dtype.type(index), where=higher)
    return _hidden(found, axes, len(logits))


def classes_by_ids(ids: NDArray[np.intp], axes: tuple[Axis, Axis], count: int) -> Classes:
    """Class indices (h×w) to those of every pixel (H×W), the nearest; `count` where it is not seen."""
    import numpy as np

    rows, columns = axes
    return _hidden(ids[np.ix_(rows.nearest(), columns.nearest())].astype(kind_of(count)), axes, count)


def whole_ids(values: NDArray[np.generic], name: str, count: int) -> NDArray[np.intp]:
    """Class indices that a network gives, in whatever type. Raises `BadInput` where they are none."""
    import numpy as np

    ids = np.asarray(values).astype(np.float64)
    wrong = (ids != np.floor(ids)) | (ids < 0) | (ids >= count)
    if wrong.any():
        raise BadInput(
            f"output {name!r}: one plane, which must hold class indices from 0 to {count - 1}, has {ids[wrong][0]:g}; "
            "give logits for each class, or write porter_postprocess"
        )
    return ids.astype(np.intp)


def kind_of(count: int) -> type[np.uint8] | type[np.uint16]:
    """The type of classes of which there are `count`, that of what is not seen included."""
    import numpy as np

    return np.uint8 if count < 256 else np.uint16


def _planes(logits: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    import numpy as np

    return (np.asarray(plane, np.float32) for plane in logits)


def _hidden(found: Classes, axes: tuple[Axis, Axis], count: int) -> Classes:
    rows, columns = axes
    found[~rows.seen, :] = count
    found[:, ~columns.seen] = count
    return found


def _axis(values: int, pixels: int, start: float, step: float) -> Axis:
    """`start`: where the outputs begin, in pixels of the image; `step`: pixels from one value to the next."""
    import numpy as np

    place: NDArray[np.float64] = (np.arange(pixels, dtype=np.float64) + 0.5 - start) / step
    return Axis(place - 0.5, values, (place >= 0) & (place <= values))


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
