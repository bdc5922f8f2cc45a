"""COCO's files of keypoints: annotations, and boxes that a detector found.

As the authors of HRNet's pose networks read them (`lib/dataset/coco.py`): boxes are cut to the image, those without a
labelled joint are left out, and so are detections of another category or below the score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from porter import BadInput, DataRequest, Item, Manifest, Message, list_images, one_line, read_json, select
from porter_pose.person import Annotation, Label, label_text

PERSON = 1
"""Category of people."""
LEAST_SCORE = 0.0
"""Of a detection; the authors' IMAGE_THRE."""
Box = tuple[float, float, float, float]


class _Image(msgspec.Struct, frozen=True):
    id: int
    file_name: str
    height: int
    width: int


class _Person(msgspec.Struct, frozen=True):
    image_id: int
    bbox: tuple[float, float, float, float]
    category_id: int = PERSON
    keypoints: tuple[float, ...] = ()
    area: float | None = None
    iscrowd: int = 0


class _Category(msgspec.Struct, frozen=True):
    id: int
    keypoints: tuple[str, ...] = ()
    sigmas: tuple[float, ...] = ()


class _File(msgspec.Struct, frozen=True):
    images: list[_Image]
    annotations: list[_Person]
    categories: list[_Category] = []


class _Detection(msgspec.Struct, frozen=True):
    image_id: int
    bbox: tuple[float, float, float, float]
    score: float
    category_id: int = PERSON


def coco_manifest(request: DataRequest, joints: int) -> Manifest:
    """An item for each box: of the annotations, or of a detector's file beside them. Raises `BadInput` with the
    file."""
    if request.labels is None:
        raise BadInput(
            "--labels: missing. Name the COCO file of keypoints, or a folder with it and a file of detections"
        )
    annotations, detections = _files(request.labels)
    known = read_json(annotations, "COCO file of keypoints", _File)
    sizes = {one.id: (one.width, one.height) for one in known.images}
    names = _names(request, known, annotations)
    people: dict[int, list[Annotation]] = defaultdict(list)
    for number, one in enumerate(known.annotations):
        if one.category_id == PERSON:
            people[one.image_id].append(_annotation(one, sizes, joints, f"{annotations}: annotations[{number}]"))
    boxes = _labelled_boxes(people, sizes) if detections is None else _detected_boxes(detections, sizes)
    images = sorted((names[image], image) for image in names if boxes.get(image) or _to_find(people.get(image, [])))
    if not any(boxes.get(image) for _, image in images):
        raise BadInput(f"{annotations}: no person with a labelled joint and a box in the images of {request.root}")
    chosen = select(len(images), request.limit, request.keep_apart)
    scored = [images[place] for place in chosen.scored]
    items = tuple(_items(scored, boxes, people, next((one.sigmas for one in known.categories if one.sigmas), ())))
    return Manifest(
        root=str(request.data.resolve()),
        items=items,
        found=len(images),
        selection=chosen.words,
        kept_apart=tuple(dict.fromkeys(images[place][0] for place in chosen.kept_apart)),
        labels_from=Message("`{file}`, the boxes of the labels", file=annotations.name)
        if detections is None
        else Message("`{file}`, the boxes of `{detections}`", file=annotations.name, detections=detections.name),
    )


def _files(path: Path) -> tuple[Path, Path | None]:
    """The file of annotations, and that of detections, where a folder holds both."""
    if path.is_file():
        return path, None
    kinds: dict[str, list[Path]] = {"annotations": [], "detections": []}
    for one in sorted(path.glob("*.json")):
        kinds["detections" if one.read_bytes().lstrip()[:1] == b"[" else "annotations"].append(one)
    for kind, found in kinds.items():
        if len(found) > 1 or (not found and kind == "annotations"):
            listed = ", ".join(one.name for one in found) or "none"
            raise BadInput(f"--labels {path}: needs one file of {kind} (.json), has {listed}")
    return kinds["annotations"][0], next(iter(kinds["detections"]), None)


def _names(request: DataRequest, known: _File, path: Path) -> dict[int, str]:
    """The path of each image that lies there. Raises `BadInput` where none does."""
    there = set(list_images(request.data))
    by_name = {name.rpartition("/")[2]: name for name in there}
    names = {
        one.id: one.file_name if one.file_name in there else by_name[one.file_name.rpartition("/")[2]]
        for one in known.images
        if one.file_name in there or one.file_name.rpartition("/")[2] in by_name
    }
    if not names:
        first = known.images[0].file_name if known.images else "none"
        raise BadInput(
            f"{path}: none of its {len(known.images)} images lies in {request.root}, such as {one_line(first)}"
        )
    return names


def _annotation(one: _Person, sizes: Mapping[int, Any], joints: int, where: str) -> Annotation:
    if one.image_id not in sizes:
        raise BadInput(f"{where}: image_id {one.image_id} is that of no image")
    if one.keypoints and len(one.keypoints) != 3 * joints:
        raise BadInput(
            f"{where}: {len(one.keypoints)} numbers in keypoints; the model has {joints} joints of three each"
        )
    return Annotation(
        image=one.image_id,
        joints=one.keypoints or (0.0,) * (3 * joints),
        box=one.bbox,
        area=one.bbox[2] * one.bbox[3] if one.area is None else one.area,
        crowd=bool(one.iscrowd),
    )


def _to_find(people: list[Annotation]) -> bool:
    return any(one.labelled and not one.crowd for one in people)


def _labelled_boxes(
    people: Mapping[int, list[Annotation]], sizes: Mapping[int, tuple[int, int]]
) -> dict[int, list[tuple[Box, float, int]]]:
    """By image: box, score and whose it is."""
    found: dict[int, list[tuple[Box, float, int]]] = {}
    for image, everybody in people.items():
        width, height = sizes[image]
        for place, one in enumerate(everybody):
            left, top = max(0.0, one.box[0]), max(0.0, one.box[1])
            right = min(width - 1, left + max(0.0, one.box[2] - 1))
            bottom = min(height - 1, top + max(0.0, one.box[3] - 1))
            if one.area > 0 and right >= left and bottom >= top and one.labelled and not one.crowd:
                found.setdefault(image, []).append(((left, top, right - left, bottom - top), 1.0, place))
    return found


def _detected_boxes(path: Path, sizes: Mapping[int, Any]) -> dict[int, list[tuple[Box, float, int]]]:
    found: dict[int, list[tuple[Box, float, int]]] = {}
    for number, one in enumerate(read_json(path, "COCO file of detections", list[_Detection])):
        if one.image_id not in sizes:
            raise BadInput(f"{path}: [{number}]: image_id {one.image_id} is that of no image of the annotations")
        if one.category_id == PERSON and one.score >= LEAST_SCORE and min(one.bbox[2:]) > 0:
            found.setdefault(one.image_id, []).append((one.bbox, one.score, -1))
    return found


def _items(
    images: list[tuple[str, int]],
    boxes: Mapping[int, list[tuple[Box, float, int]]],
    people: Mapping[int, list[Annotation]],
    sigmas: tuple[float, ...],
) -> Iterator[Item]:
    elsewhere = tuple(one for _, image in images if not boxes.get(image) for one in people.get(image, []))
    first = True
    for name, image in images:
        for place, (box, score, own) in enumerate(boxes.get(image, [])):
            label = Label(
                image=image,
                score=score,
                own=own,
                people=tuple(people.get(image, ())) if place == 0 else (),
                elsewhere=elsewhere if first else (),
                sigmas=sigmas if first else (),
            )
            first = False
            yield Item(f"{name}#{place + 1}", label_text(label), path=name, box=box)
