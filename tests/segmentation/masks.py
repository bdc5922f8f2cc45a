"""Masks: images of class indices, found by name, read and checked, and laid over what the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from porter.contracts.task import DataRequest
from porter.data.images_in import list_images
from porter.data.selection import evenly_spaced
from porter.errors import BadInput, ImageError
from porter.images.pipeline import reference_pipeline
from porter.records.manifest import Item, Manifest
from porter.records.spec import PreprocessSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

IGNORE = 255
"""Pixels of this value count nowhere, as in Pascal VOC and Cityscapes."""


def masked_manifest(request: DataRequest, num_classes: int) -> Manifest:
    """The images below `request.data`, each with the PNG of the same path and stem below `request.labels`.

    Every mask is read and checked before anything is inferred. Raises `BadInput` naming the one that is missing, is
    no single-channel PNG, has another size than its image, or holds a value that is no class.
    """
    if request.labels is None:
        raise BadInput("no masks. Use --labels DIR, a folder with one PNG of class indices for each image")
    if not request.labels.is_dir():
        raise BadInput(f"{request.labels}: a file; semantic segmentation takes a folder of masks with --labels")
    if request.class_map is not None or request.label_offset:
        raise BadInput("--class-map and --label-offset: a mask holds class indices already, from 0")
    ids = list_images(request.data)
    chosen = [ids[k] for k in (range(len(ids)) if request.limit is None else evenly_spaced(len(ids), request.limit))]
    items = tuple(Item(name, str(PurePosixPath(name).with_suffix(".png"))) for name in chosen)
    _require_present(request.labels, items)
    for item in items:
        check_mask(request.labels / str(item.label), request.data / item.id, num_classes)
    return Manifest(
        root=str(request.data.resolve()),
        labels_root=str(request.labels.resolve()),
        items=items,
        found=len(ids),
        selection="all" if len(items) == len(ids) else f"{len(items)} of {len(ids)}, evenly spaced",
        labels_from=f"masks in {request.labels.name}, matched by name",
    )


def check_mask(path: Path, image: Path, num_classes: int) -> None:
    """Raise `BadInput` unless the mask at `path` fits its image and the classes."""
    mask = read_mask(path)
    size = _image_size(image)
    if size not in (None, mask.shape):
        raise BadInput(f"{path}: {_by(mask.shape)} pixels, its image {image.name} has {_by(size)}")
    wrong = np.argwhere((mask >= num_classes) & (mask != IGNORE))
    if len(wrong):
        row, column = wrong[0]
        raise BadInput(
            f"{path}: value {mask[row, column]} at row {row}, column {column}; "
            f"the model has classes 0 to {num_classes - 1}, and {IGNORE} is ignored"
        )


def read_mask(path: Path) -> NDArray[np.uint8]:
    """A mask as uint8 H×W. Raises `BadInput` unless it is a whole PNG with one byte a pixel."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.mode not in ("L", "P"):
                raise BadInput(f"{path}: mode {image.mode}; a mask has one channel of 8 bits, the class of each pixel")
            return np.array(image)
    except (OSError, SyntaxError) as error:
        raise BadInput(f"{path}: not a whole PNG mask: {error}") from None


def aligned(mask: NDArray[np.uint8], spec: PreprocessSpec) -> NDArray[np.uint8]:
    """A mask (uint8 H×W) resized and cropped as `spec` does its image, by nearest neighbour: uint8 crop_h×crop_w.

    What the crop adds outside the image is `IGNORE`.
    """
    geometry = replace(
        spec, interpolation="nearest", channels="RGB", divisor=1.0, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    # The pipeline pads with 0. One up, 0 is what is ignored; one down, it is 255 again.
    raised = mask + np.uint8(1)
    planes = reference_pipeline(np.repeat(raised[..., None], 3, axis=2), geometry)
    return planes[0].astype(np.uint8) - np.uint8(1)


def _require_present(folder: Path, items: Sequence[Item]) -> None:
    missing = [item for item in items if not (folder / str(item.label)).is_file()]
    if missing:
        more = f", and {len(missing) - 1} more are missing" if len(missing) > 1 else ""
        raise BadInput(f"{folder / str(missing[0].label)}: no such mask, for the image {missing[0].id}{more}")


def _image_size(path: Path) -> tuple[int, int] | None:
    """Height and width; None where it is no image, which costs a score and does not stop the run."""
    from porter.images.decode import decode

    try:
        pixels = decode(path.read_bytes(), path.name).pixels
    except (OSError, ImageError):
        return None
    return pixels.shape[0], pixels.shape[1]


def _by(shape: tuple[int, ...] | None) -> str:
    return "no" if shape is None else "×".join(map(str, shape))
