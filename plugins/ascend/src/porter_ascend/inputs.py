"""Preprocessed images as Ascend's tools take them: one `.bin` an image, and the `.info` file that lists them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from porter import BadInput, one_line

if TYPE_CHECKING:
    import numpy as np

SUFFIX = ".bin"
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
"""Names that an `.info` file can hold, which is parted at blanks, and that a tool can cut at its first dot."""


def bin_names(ids: Sequence[str]) -> tuple[str, ...]:
    """A name without suffix for the `.bin` of each image: the image's own name without its suffix.

    The tools tell images apart by that name alone. Images that would share one (`a.jpg` and `a.png`, or files of one
    name in two folders), and names that hold anything but letters, digits, `_` and `-`, get their place in the list
    behind the name, so that no image overwrites another. Every name is unique.
    """
    stems = [PurePosixPath(one).stem for one in ids]
    seen = Counter(stems)
    plain = {stem for stem in seen if seen[stem] == 1 and _PLAIN.fullmatch(stem)}
    names = []
    for index, stem in enumerate(stems):
        if stem in plain:
            names.append(stem)
            continue
        name = f"{re.sub(r'[^A-Za-z0-9_-]+', '_', stem)}_{index:08d}"
        while name in plain:
            name += "_"
        names.append(name)
    return tuple(names)


def write_bin(path: Path, array: np.ndarray) -> None:
    """Write one image, float32 C×H×W without a batch dimension, as raw little-endian values in C order.

    Raises `BadInput` for another type or number of axes.
    """
    if str(array.dtype) != "float32" or array.ndim != 3:
        shape = "×".join(map(str, array.shape))
        raise BadInput(f"{one_line(path)}: a .bin must be float32 C×H×W, not {array.dtype} {shape}")
    path.write_bytes(array.astype("<f4", copy=False).tobytes())


def info_lines(paths: Iterable[str], width: int, height: int) -> Iterable[str]:
    """The lines of an `.info` file: `index path width height`, index from 0, sizes in pixels."""
    for index, path in enumerate(paths):
        yield f"{index} {path} {width} {height}"
