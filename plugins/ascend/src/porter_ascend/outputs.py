"""Folders of outputs that Ascend's tools leave: one file an image and output, `IMAGE_N.txt`, `.bin` or `.npy`."""

from __future__ import annotations

import io
import math
import re
import tokenize
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from porter import (
    BadInput,
    Message,
    ReturnedOutputs,
    TensorSpec,
    Unusable,
    Value,
    leads_out,
    one_line,
    read_received,
)
from porter_ascend.figures import batch_in
from porter_ascend.inputs import bin_names
from porter_ascend.msame import OUTPUT

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = (".txt", ".bin", ".npy")
_FILE = re.compile(r"(?s)(?P<image>.+)_(?P<output>\d{1,3})(?P<suffix>\.txt|\.bin|\.npy)")
KIND = "recorded output"
"""What a file is called in messages, and where its limit is looked up."""
_PIECE = 1 << 20
"""Bytes of a text that are made into numbers at a time."""


def is_output(name: str) -> bool:
    """Whether a file's name is that of an output."""
    return _FILE.fullmatch(name) is not None


class OutputFolder(ReturnedOutputs):
    """The files of one folder by image, or of the folders in which several devices left a part each.

    Outputs count from 0 or from 1: the least number of the folder says which.
    """

    def __init__(self, *folders: Path) -> None:
        self.path = folders[0] if len(folders) == 1 else folders[0].parent
        self.batch = next((batch for batch in map(batch_in, (self.path.name, folders[0].name)) if batch), None)
        self._files: dict[str, dict[int, Path]] = {}
        for folder in folders:
            self._add(folder)
        self.files = tuple(sorted(file for numbers in self._files.values() for file in numbers.values()))
        self._first = min((min(numbers) for numbers in self._files.values()), default=0)

    def _add(self, folder: Path) -> None:
        try:
            names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            raise BadInput(f"{one_line(folder)}: cannot be listed: {error.strerror}") from None
        for name in names:
            if found := _FILE.fullmatch(name):
                numbers = self._files.setdefault(found["image"], {})
                number = int(found["output"])
                if number in numbers:
                    raise BadInput(f"{one_line(folder / name)}: a second file for the same output of an image")
                numbers[number] = folder / name

    @property
    def images(self) -> tuple[str, ...]:
        """Names of the images that have a file, sorted."""
        return tuple(sorted(self._files))

    @property
    def first(self) -> int:
        """The number of the model's first output in the file names."""
        return self._first

    def names(self, ids: Sequence[str]) -> tuple[str, ...]:
        """As the tools make them, from the images' own."""
        return bin_names(ids)

    def read(self, name: str, outputs: Sequence[TensorSpec]) -> dict[str, np.ndarray]:
        """Every output of one image by name, in its shape without the batch.

        Raises `Unusable` naming the file where one is missing, broken or of another size than the model declares.
        """
        numbers = self._files.get(self._own(name), {})
        found = {}
        for place, spec in enumerate(outputs):
            path = numbers.get(place + self._first)
            if path is None:
                raise Unusable(f"{self.path}, image {name}", Message("output {place} is missing", place=place))
            found[spec.name] = read_array(path, spec)
        return found

    def missing(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of `names` that have no file."""
        return tuple(name for name in names if self._own(name) not in self._files)

    def extra(self, names: Sequence[str]) -> tuple[str, ...]:
        """Images that have files and are not among `names`."""
        return tuple(sorted(self._files.keys() - set(map(self._own, names))))

    def _own(self, name: str) -> str:
        """What the files of an image begin with: its name, and what msame puts behind it."""
        return name if name in self._files else f"{name}{OUTPUT}"


def read_array(path: Path, spec: TensorSpec) -> np.ndarray:
    """One output of one image, float32, in the shape that `spec` declares without its batch dimension.

    `.txt` holds numbers parted by blanks, `.bin` raw little-endian float32, `.npy` what numpy writes, with a batch
    dimension of 1 or without. NaN and infinity are passed on: they are counted where images are scored.
    """
    import numpy as np

    shape = [size for size in spec.shape[1:] if isinstance(size, int)]
    if leads_out(path.parent, path):
        raise Unusable(path, Message("a link that leads out of its folder; ignored"))
    try:
        data = read_received(path, KIND)
    except BadInput as error:
        raise Unusable(path, str(error).removeprefix(f"{one_line(path)}: ")) from None
    try:
        values = _READERS[path.suffix](data)
    except (ValueError, EOFError, SyntaxError, OverflowError, MemoryError) as error:
        if path.suffix == ".bin" and len(data) == 2 * math.prod(shape):  # an odd number of them
            size, count = len(data), math.prod(shape)
            reason = Message("{size} bytes, {wanted} float32 values expected: float16?", size=size, wanted=count)
            raise Unusable(path, reason) from None
        text = one_line(error)[:120]
        raise Unusable(path, Message("not a model output: {reason}", reason=text)) from None
    if values.dtype.kind not in "fiu":
        raise Unusable(path, Message("contains {kind}, not numbers", kind=one_line(values.dtype)))
    if len(shape) != len(spec.shape) - 1:  # a size is free: the file's own shape stands, where it has one
        return values.astype(np.float32).reshape(values.shape[1:] if values.ndim == len(spec.shape) else values.shape)
    if values.size != math.prod(shape):
        raise Unusable(path, _misfit(values.size, math.prod(shape), path.suffix == ".bin"))
    return values.astype(np.float32).reshape(shape)


def _misfit(found: int, wanted: int, raw: bool) -> Message:
    """That a file has another number of values than an image has, and what usually makes it so."""
    counts: dict[str, Value] = {"found": found, "wanted": wanted}
    if raw and 2 * found == wanted:
        return Message("{found} values, {wanted} expected: float16?", **counts)
    if raw and found == 2 * wanted:
        return Message("{found} values, {wanted} expected: float64?", **counts)
    if found == wanted + 1:
        return Message("{found} values, {wanted} expected: a model with a background class?", **counts)
    if found and found % wanted == 0:
        return Message("{found} values, {wanted} expected: a whole batch in one file?", **counts)
    return Message("{found} values, {wanted} expected: another model, or another output?", **counts)


def _text(data: bytes) -> np.ndarray:
    """A piece at a time: each number takes many times its characters until it is one."""
    import numpy as np

    pieces, start = [], 0
    while start < len(data):
        end = start + _PIECE
        while end < len(data) and not data[end : end + 1].isspace():
            end += 1
            if end - start > 2 * _PIECE:
                raise ValueError("a number of a million characters")
        pieces.append(np.array(data[start:end].split(), dtype=np.float32))
        start = end
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def _raw(data: bytes) -> np.ndarray:
    import numpy as np

    return np.frombuffer(data, dtype="<f4")


def _numpy(data: bytes) -> np.ndarray:
    import numpy as np

    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
    except tokenize.TokenError as error:  # the header is a Python literal
        raise ValueError(error) from None
    if not isinstance(loaded, np.ndarray):
        raise ValueError("an archive of arrays, not one array")
    return loaded


_READERS: Mapping[str, Callable[[bytes], np.ndarray]] = {".txt": _text, ".bin": _raw, ".npy": _numpy}
