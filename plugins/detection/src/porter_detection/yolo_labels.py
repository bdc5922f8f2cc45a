"""YOLO's labels: beside each image a text file with a line `CLASS CX CY W H` for each box, in shares of its sides."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from porter import BadInput, Message, one_line, read_lines
from porter_detection.truth import Labelled, Truth

if TYPE_CHECKING:
    from porter import ImageStore

SLACK = 0.01
"""How far a box may lie outside of its image, in shares of it: tools round."""
UNKNOWN = (640, 640)
"""Width and height taken for an image that cannot be read: it has no answer, whatever it is."""


def yolo_truths(
    folder: Path,
    ids: Sequence[str],
    store: ImageStore,
    num_classes: int,
    class_map: Mapping[str, int] | None,
    offset: int,
    warnings: list[Message],
) -> dict[str, Truth]:
    """The boxes of every image of `ids`; one without a file has none. Raises `BadInput` naming the file and line."""
    files = {name: path for name in ids if (path := _file_of(folder, name)) is not None}
    if not files:
        wanted = PurePosixPath(ids[0]).with_suffix(".txt")
        raise BadInput(f"{one_line(folder)}: no label file for any image, e.g. {one_line(wanted)}")
    if len(files) < len(ids):
        warnings.append(
            Message(
                "{count} of {images} images have no file of labels, and count as images without a box",
                count=len(ids) - len(files),
                images=len(ids),
            )
        )
    found = {}
    for name in ids:
        size = image_size(store, name)
        boxes = _boxes(files[name], size, num_classes, class_map, offset) if name in files else ()
        found[name] = Truth(size, boxes)
    return found


def image_size(store: ImageStore, name: str) -> tuple[int, int]:
    """Width and height in pixels, as porter decodes it."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(store.read(name))) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return UNKNOWN


def _file_of(folder: Path, name: str) -> Path | None:
    """The label file of an image, which may lie below `images/`; None where there is none."""
    plain = PurePosixPath(name).with_suffix(".txt")
    under = plain.relative_to("images") if plain.parts[0] == "images" else plain
    return next((folder / path for path in (plain, under) if (folder / path).is_file()), None)


def _boxes(
    path: Path, size: tuple[int, int], num_classes: int, class_map: Mapping[str, int] | None, offset: int
) -> tuple[Labelled, ...]:
    if not path.read_bytes().strip():
        return ()  # as tools write an image without a box
    boxes = []
    for number, line in read_lines(path, "label file"):
        where = f"{one_line(path)}, line {number}"
        fields = line.split()
        if len(fields) != 5:
            more = ". Outlines are not read: write boxes" if len(fields) > 6 else ""
            raise BadInput(f"{where}: {len(fields)} fields, expected 5: CLASS CX CY W H{more}")
        kind = _class(fields[0], where, num_classes, class_map, offset)
        x, y, width, height = (_share(text, where) for text in fields[1:])
        if min(x - width / 2, y - height / 2) < -SLACK or max(x + width / 2, y + height / 2) > 1 + SLACK:
            raise BadInput(f"{where}: the box lies outside of the image; CX CY W H are shares of its sides, 0 to 1")
        wide, high = width * size[0], height * size[1]
        box = (x * size[0] - wide / 2, y * size[1] - high / 2, wide, high)
        boxes.append(Labelled(kind, box, wide * high))
    return tuple(boxes)


def _class(text: str, where: str, num_classes: int, class_map: Mapping[str, int] | None, offset: int) -> int:
    if class_map is not None:
        if text.casefold() not in class_map:
            raise BadInput(f"{where}: class {text[:40]!r} is no line of the class map")
        return class_map[text.casefold()]
    kind = int(text) - offset if text.isascii() and text.isdigit() else -1
    if not 0 <= kind < num_classes:
        less = f" less --label-offset {offset}" if offset else ""
        raise BadInput(f"{where}: class {text[:40]!r}{less} is none of the model, which has 0 to {num_classes - 1}")
    return kind


def _share(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not -SLACK <= value <= 1 + SLACK:
        raise BadInput(f"{where}: {text[:40]!r} is no share of the image's side, 0 to 1")
    return value
