"""What to feed two bare graphs, of which nothing is known but their input: real images where there are any."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from porter.data.images_in import list_images
from porter.data.selection import evenly_spaced
from porter.errors import BadInput, ImageError
from porter.graphs.onnxfile import facts_of
from porter.images.decode import decode
from porter.images.image_file import read_image_file
from porter.images.pipeline import reference_pipeline
from porter.records.spec import PreprocessSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import onnx

FREE_SIZE = 224
"""Height and width where the graph leaves them open."""
CROP_RATIO = 0.875


def feeds_for(model: onnx.ModelProto, data: Path | None, count: int) -> tuple[list[dict[str, np.ndarray]], str]:
    """One feed for the graph's input, of `count` images (or the batch that it is fixed to), and how it was made.

    Images are cropped to the graph's own size and normalised by the ImageNet mean and deviation; without images, or
    where the input is no image, values are drawn at random with a fixed seed.
    """
    import numpy as np

    inputs = facts_of(model, 0).inputs
    if len(inputs) != 1:
        raise BadInput(f"the graph has {len(inputs)} inputs; porter feeds graphs with one")
    tensor = inputs[0]
    dtype = "float32" if tensor.dtype == "bfloat16" else tensor.dtype  # numpy has none; it is rounded when it is fed
    shape = _shape(tensor, count)
    size = _image_size(shape)
    if data is None or size is None:
        generator = np.random.default_rng(0)
        values = generator.standard_normal(shape) if dtype.startswith("float") else generator.integers(0, 256, shape)
        return [{tensor.name: values.astype(dtype)}], "fed with random values: no --data, or no image input"
    spec = PreprocessSpec(resize=int(min(size) / CROP_RATIO), crop=size)
    arrays = _images(data, shape[0], spec)
    batch = np.stack(arrays)
    if shape[-1] == 3:
        batch = batch.transpose(0, 2, 3, 1)
    if dtype == "uint8":
        batch = np.clip(np.rint(batch * 64 + 128), 0, 255)
    return [{tensor.name: np.ascontiguousarray(batch, dtype=dtype)}], f"fed with {shape[0]} images of {data}"


def _images(data: Path, count: int, spec: PreprocessSpec) -> list[np.ndarray]:
    ids = list_images(data)
    found: list[np.ndarray] = []
    for index in evenly_spaced(len(ids), len(ids)):
        try:
            found.append(reference_pipeline(decode(read_image_file(data / ids[index]), ids[index]).pixels, spec))
        except ImageError:
            continue
        if len(found) == count:
            return found
    if not found:
        raise BadInput(f"--data {data}: none of the images can be read")
    return [found[k % len(found)] for k in range(count)]


def _shape(tensor: TensorSpec, count: int) -> tuple[int, ...]:
    sizes = [size if isinstance(size, int) and size > 0 else FREE_SIZE for size in tensor.shape]
    if tensor.shape and not isinstance(tensor.shape[0], int):
        sizes[0] = count
    return tuple(sizes)


def _image_size(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Height and width of an N×3×H×W or N×H×W×3 input."""
    if len(shape) != 4:
        return None
    if shape[1] == 3:
        return shape[2], shape[3]
    return (shape[1], shape[2]) if shape[3] == 3 else None
