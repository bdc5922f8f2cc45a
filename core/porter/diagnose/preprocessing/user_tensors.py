"""A user's own preprocessed tensors, read from files."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from porter.errors import BadInput, one_line
from porter.files.received import read_limited, require_regular
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SUFFIXES = (".npy", ".bin")
_SHOWN = 3
_OTHER_SIZES = {1: "uint8", 2: "float16", 8: "float64"}


def read_user_tensors(folder: Path, ids: Sequence[str], spec: PreprocessSpec) -> list[NDArray[np.float32]]:
    """One float32 C×H×W tensor for each image of `ids`, in order, as `spec` declares their shape.

    The file is named as the image, with `.npy` or `.bin` for its suffix, and lies under `folder` where the image lies
    under the data folder, or directly in `folder`. `.bin` holds the values alone, float32, little-endian, in the order
    C×H×W. `.npy` holds C×H×W or H×W×C, with or without a batch dimension of 1 in front, of any type of real numbers.

    Raises `BadInput`, naming the files, where some are missing, two fit one image, one fits two images, or one has
    another size, shape or type, or values that are not finite.
    """
    if not folder.is_dir():
        raise BadInput(f"{one_line(folder)}: no such folder. --tensors needs a folder of .npy or .bin files")
    paths = _paths(folder, ids)
    return [_read(path, (len(spec.mean), *spec.crop)) for path in paths]


def with_tensors(folder: Path, ids: Sequence[str]) -> list[str]:
    """The images that have a file in `folder`, in order; all of them where none has, for the reader to name."""
    return [image_id for image_id in ids if _fitting(folder, image_id)] or list(ids)


def _fitting(folder: Path, image_id: str) -> list[Path]:
    """The files that fit an image, at the first place that has any."""
    stem = PurePosixPath(image_id).with_suffix("")
    places = dict.fromkeys((folder / stem, folder / stem.name))
    candidates = [[path for s in SUFFIXES if (path := Path(f"{place}{s}")).exists()] for place in places]
    return next((paths for paths in candidates if paths), [])


def _paths(folder: Path, ids: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    missing: list[str] = []
    for image_id in ids:
        fitting = _fitting(folder, image_id)
        if len(fitting) > 1:
            raise BadInput(
                f"{one_line(fitting[0])} and {fitting[1].name} both fit image {one_line(image_id)}. Keep one"
            )
        if fitting:
            found.append(fitting[0])
        else:
            missing.append(f"{PurePosixPath(image_id).stem}.npy")
    if missing:
        raise BadInput(
            f"{one_line(folder)}: {len(missing)} of {len(ids)} tensors are missing ({_first(missing)});"
            " each needs the name of its image with the suffix .npy or .bin"
        )
    shared = next((path for path, count in Counter(found).items() if count > 1), None)
    if shared is not None:
        images = [image_id for image_id, path in zip(ids, found, strict=True) if path == shared]
        raise BadInput(
            f"{one_line(shared)} fits {len(images)} images ({_first(images)}). Keep the folders of the images"
        )
    return found


def _read(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    import numpy as np

    require_regular(path, "file of arrays")
    try:
        values = _read_npy(path, shape) if path.suffix == ".npy" else _read_bin(path, shape)
    except OSError as error:
        raise BadInput(f"{one_line(path)}: cannot be read: {error.strerror or one_line(error)}") from None
    if not np.isfinite(values).all():
        raise BadInput(f"{one_line(path)}: contains NaN or infinite values")
    return values


def _read_bin(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    import numpy as np

    count = shape[0] * shape[1] * shape[2]
    size = path.stat().st_size
    if size != 4 * count:
        looks = next((f"; that is the size of {name}" for n, name in _OTHER_SIZES.items() if size == n * count), "")
        raise BadInput(f"{one_line(path)}: {size} bytes{looks}, float32 of {_text(shape)} takes {4 * count}")
    return np.frombuffer(read_limited(path, size), "<f4").astype(np.float32).reshape(shape)


def _read_npy(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    import numpy as np

    try:
        # Mapped: a header that promises more than the file holds is refused before any memory is taken. Unlike
        # numpy.load, this opens neither pickles nor archives.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a header written by Python 2
            values = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # the header is a Python literal: ValueError, TokenError, SyntaxError, OverflowError…
        raise BadInput(f"{one_line(path)}: not a whole .npy file of numbers: {one_line(error)}") from None
    if values.dtype.kind not in "fiu":
        raise BadInput(f"{one_line(path)}: values of type {values.dtype}, expected float32")
    found = values.shape
    if values.ndim == 4 and found[0] == 1:
        values = values[0]
    if values.shape == (*shape[1:], shape[0]) != shape:
        values = values.transpose(2, 0, 1)
    if values.shape == shape:
        with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused for it
            return np.array(values, np.float32, order="C")
    raise BadInput(f"{one_line(path)}: shape is {_text(found)}, expected {_text(shape)}")


def _text(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"


def _first(names: Sequence[str]) -> str:
    return ", ".join(one_line(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
