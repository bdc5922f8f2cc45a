"""What a user hands over to be answered: files, bytes, pixels, or items of a manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from porter.contracts.requests import Image
from porter.data.images_in import Listing
from porter.data.store import ImageStore
from porter.errors import BadInput
from porter.files.received import read_received
from porter.records.manifest import Item

if TYPE_CHECKING:
    import numpy as np

Sample: TypeAlias = Union[str, "os.PathLike[str]", bytes, "np.ndarray", Item]
"""A file by its path, the bytes of one, an image (uint8 H×W×3, RGB), or an item with its files, box or text."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """One sample under its name."""

    item: Item
    content: bytes | None = None
    """Of its file, where that was given and lies nowhere."""
    image: Image | None = None
    """Decoded already."""

    @property
    def store(self) -> ImageStore:
        """Where its files are read from."""
        return _Files({} if self.content is None else {self.item.id: self.content})


class _Files(ImageStore):
    """Files by their paths, and contents that lie nowhere by their names."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        super().__init__(str(Path.cwd()))
        self._contents = contents

    def find(self) -> Listing:
        return Listing(ids=tuple(self._contents), warnings=())

    def read(self, image_id: str) -> bytes:
        """Raises `BadInput`, naming the file: nothing here counts as wrong and goes on."""
        content = self._contents.get(image_id)
        return read_received(Path(image_id), "image file") if content is None else content

    def name(self, image_id: str) -> str:
        return image_id


def given(samples: Sample | Iterable[Sample]) -> list[Given]:
    """The samples in order; one alone is a list of one. Raises `BadInput` for what is none."""
    alone = isinstance(samples, str | os.PathLike | bytes | Item) or getattr(samples, "ndim", 0) == 3
    listed: Any = [samples] if alone else samples
    try:
        return [_one(sample, number) for number, sample in enumerate(listed, start=1)]
    except TypeError:
        raise BadInput(f"{type(samples).__name__} is no sample. {WAY_OUT}") from None


WAY_OUT = "Give paths, bytes of image files, or arrays (uint8 H×W×3, RGB)"


def _one(sample: Sample, number: int) -> Given:
    if isinstance(sample, Item):
        return Given(item=sample)
    if isinstance(sample, bytes):
        return Given(item=Item(id=f"sample {number}", label=""), content=sample)
    if isinstance(sample, str | os.PathLike):
        return Given(item=Item(id=os.fspath(sample), label=""))
    name = f"sample {number}"
    return Given(item=Item(id=name, label=""), image=Image(id=name, pixels=_pixels(sample, name)))


def _pixels(sample: Any, name: str) -> np.ndarray:
    import numpy as np

    if not isinstance(sample, np.ndarray):
        raise BadInput(f"{name}: {type(sample).__name__} is no sample. {WAY_OUT}")
    if sample.dtype != np.uint8 or sample.ndim != 3 or sample.shape[2] != 3 or not sample.size:
        shape = "×".join(map(str, sample.shape))
        raise BadInput(f"{name}: an array of {sample.dtype} {shape}; an image is uint8 H×W×3, RGB")
    return np.ascontiguousarray(sample)
