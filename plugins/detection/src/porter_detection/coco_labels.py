"""COCO's json of boxes: images, categories, annotations."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from porter import BadInput, Message, did_you_mean, one_line, read_text
from porter_detection.truth import Labelled, Truth


class CocoImage(msgspec.Struct, frozen=True):
    id: int
    file_name: str
    width: float = 0
    height: float = 0


class CocoCategory(msgspec.Struct, frozen=True):
    id: int
    name: str


class CocoAnnotation(msgspec.Struct, frozen=True):
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int = 0


class CocoFile(msgspec.Struct, frozen=True):
    """What is read of it. Masks, licences and the like are passed over unread."""

    images: list[CocoImage]
    annotations: list[CocoAnnotation]
    categories: list[CocoCategory]


def coco_truths(
    path: Path,
    ids: Sequence[str],
    names: Sequence[str],
    num_classes: int,
    class_map: Mapping[str, int] | None,
    warnings: list[Message],
) -> dict[str, Truth]:
    """The boxes of every image of `ids`, by image; those that the file lists without a box have none.

    An image is found by its path below the data folder, or by its name alone where there is one of that name.
    Raises `BadInput` naming the file and the key.
    """
    shown, content = one_line(path), _read(path)
    files = _files(content, ids, shown, warnings)
    classes = _classes(content, names, num_classes, class_map, shown)
    known = {image.id: image for image in content.images}
    boxes: dict[int, list[Labelled]] = defaultdict(list)
    for place, one in enumerate(content.annotations):
        where = f"{shown}: annotations[{place}]"
        if one.image_id not in known:
            raise BadInput(f"{where}.image_id: {one.image_id} is the id of no image of the file")
        if one.category_id not in classes:
            raise BadInput(f"{where}.category_id: {one.category_id} is the id of no category of the file")
        if not all(map(math.isfinite, one.bbox)) or one.bbox[2] < 0 or one.bbox[3] < 0:
            numbers = ", ".join(f"{value:g}" for value in one.bbox)
            raise BadInput(f"{where}.bbox: [{numbers}] is no left, top, width, height")
        if one.image_id in files:
            kind = classes[one.category_id]
            if isinstance(kind, str):
                raise BadInput(f"{where}.category_id: {one.category_id}, {kind}")
            area = one.bbox[2] * one.bbox[3] if one.area is None else one.area
            boxes[one.image_id].append(Labelled(kind, one.bbox, area, bool(one.iscrowd)))
    return {name: Truth(_size(known[number], boxes[number]), tuple(boxes[number])) for number, name in files.items()}


def _read(path: Path) -> CocoFile:
    text = read_text(path, "label file").text
    try:
        return msgspec.json.decode(text, type=CocoFile)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise BadInput(f"{one_line(path)}: no COCO labels: {_key_first(one_line(error)[:200])}") from None


def _key_first(text: str) -> str:
    """The message of msgspec with the key in front, as errors have it."""
    problem, _, place = text.partition(" - at `$")
    key = place.rstrip("`").lstrip(".")
    return f"{key}: {problem[0].lower()}{problem[1:]}" if key else f"{problem[0].lower()}{problem[1:]}"


def _files(content: CocoFile, ids: Sequence[str], shown: str, warnings: list[Message]) -> dict[int, str]:
    """The image of the data folder for each image number of the file."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        by_name[PurePosixPath(name).name].append(name)
    present, found, seen = set(ids), dict[int, str](), dict[int, int]()
    for place, image in enumerate(content.images):
        if image.id in seen:
            raise BadInput(f"{shown}: images[{place}].id: {image.id} is the id of images[{seen[image.id]}], too")
        seen[image.id] = place
        same = by_name.get(PurePosixPath(image.file_name).name, [])
        if image.file_name in present:
            found[image.id] = image.file_name
        elif len(same) == 1:
            found[image.id] = same[0]
        elif same:
            raise BadInput(
                f"{shown}: images[{place}].file_name: {image.file_name[:120]!r} may be {same[0]!r} or {same[1]!r} of "
                "the data folder. Write the path below --data"
            )
    taken: dict[str, int] = {}
    for number, name in found.items():
        if taken.setdefault(name, number) != number:
            raise BadInput(f"{shown}: images: {name!r} is listed twice, with the ids {taken[name]} and {number}")
    missing = [name for name in ids if name not in taken]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BadInput(f"{shown}: images: no entry for {missing[0]!r} of the data folder{more}")
    absent = len(content.images) - len(found)
    if absent:
        warnings.append(
            Message(
                "{count} of {listed} images of {file} are not in the data folder, and not scored",
                count=absent,
                listed=len(content.images),
                file=PurePosixPath(shown).name,
            )
        )
    return found


def _classes(
    content: CocoFile, names: Sequence[str], num_classes: int, class_map: Mapping[str, int] | None, shown: str
) -> dict[int, int | str]:
    """The model's class for each category number, or in words why it has none.

    By the class map, else by the model's class names, else by the order of the numbers, as COCO's 80 categories with
    numbers up to 90 become the classes 0 to 79.
    """
    numbers: dict[int, str] = {}
    for place, one in enumerate(content.categories):
        if one.id in numbers:
            raise BadInput(f"{shown}: categories[{place}].id: {one.id} is there twice")
        numbers[one.id] = one.name
    if class_map is None and not names:
        if len(numbers) != num_classes:
            raise BadInput(
                f"{shown}: categories: {len(numbers)}, the model has {num_classes} classes and names none. "
                "Use --class-map FILE with lines CATEGORY CLASS"
            )
        return {number: place for place, number in enumerate(sorted(numbers))}
    known = class_map if class_map is not None else {name.casefold(): place for place, name in enumerate(names)}
    found: dict[int, int | str] = {}
    for number, name in numbers.items():
        kind = known.get(name.strip().casefold())
        if kind is None and class_map is not None:
            kind = known.get(str(number))
        hint = did_you_mean(name, known)
        source = "line of the class map" if class_map is not None else "class of the model"
        way = "" if class_map is not None else ". Use --class-map FILE with lines CATEGORY CLASS"
        found[number] = kind if kind is not None else f"{name[:80]!r}, is no {source}{hint}{way}"
    return found


def _size(image: CocoImage, boxes: Sequence[Labelled]) -> tuple[float, float]:
    """Width and height; where the file does not say, as far as the boxes go."""
    if image.width > 0 and image.height > 0:
        return image.width, image.height
    right = max((one.box[0] + one.box[2] for one in boxes), default=1.0)
    return right, max((one.box[1] + one.box[3] for one in boxes), default=1.0)
