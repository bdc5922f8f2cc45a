"""Class folders: the first folder of an image's path says its class."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from porter.data.class_map import ClassMap, read_class_map
from porter.data.class_names import ClassNames
from porter.data.image_names import some_of
from porter.data.indices import numbering_warning, range_problem
from porter.data.levels import deeper_classes, one_class, one_level_off
from porter.errors import BadInput, one_line
from porter.records.message import Message, Text

_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_WORDNET_OFFSET = re.compile(r"[0-9]{8}", re.ASCII)
_WAY_OUT = "Give a class map (lines `FOLDER index`) with --class-map"


@dataclass(frozen=True)
class FolderLabels:
    """The class of every image, taken from its folder."""

    labels: dict[str, int]
    """Class index (0-based) of each image, in the order of the images."""
    source: Text
    """How the folders were read, in words for the documents."""
    warnings: tuple[Text, ...]
    """What was odd but not refused, one line each."""
    class_map_sha256: str = ""
    """Digest of the class map, where one was given."""


def labels_from_folders(
    ids: Sequence[str],
    num_classes: int,
    class_map: Path | None = None,
    class_names: tuple[str, ...] = (),
    offset: int = 0,
    root: str = "DIR",
) -> FolderLabels:
    """Class of each image of `ids` by the first part of its path; `root`, the data folder, is named in messages.

    The first of these that applies gives a folder its class: `class_map`, a file; the folder's name as a whole number
    (read as a number: sorted as text, 10 would come before 2); the folder's place among `class_names`; its place among
    the sorted folders, where there are exactly `num_classes` of them (torchvision's `ImageFolder`, right for WordNet
    identifiers, also without their `n`). `offset` is subtracted from the indices of a class map and from numeric names.

    Raises `BadInput` for images that lie in no folder, a folder that has no class, an index outside 0..num_classes-1,
    numeric and other names mixed, folders that are no classes (train, val, or one folder around them all), and where
    none of the ways applies.
    """
    folders = _folders(ids, root, class_names)
    by_map = None if class_map is None else read_class_map(class_map, num_classes, offset)
    source: Text
    by_index = by_map is not None or _are_numbers(folders, num_classes)
    if by_map is not None:
        classes = _by_map(folders, by_map, offset, one_level_off(root, ids))
        source = Message("class folders, by the class map {name}", name=by_map.path.name)
    elif by_index:
        classes = _by_number(folders, num_classes, class_names, offset)
        source = Message("class folders named by class index")
    else:
        classes, source = _by_name(folders, num_classes, class_names, ids, root)
        if offset:
            raise BadInput(f"--label-offset {offset}: the class folders have names, not numbers. {_WAY_OUT}")
    if offset:
        source = Message("{source}, minus {offset}", source=source, offset=offset)
    doubt = numbering_warning(set(classes.values()), num_classes) if by_index and offset == 0 else None
    labels = {image_id: classes[image_id.partition("/")[0]] for image_id in ids}
    warnings = tuple(w for w in (doubt, _shared_warning(classes), by_map and by_map.warning) if w)
    return FolderLabels(labels, source, warnings, by_map.sha256 if by_map else "")


def _folders(ids: Sequence[str], root: str, class_names: tuple[str, ...]) -> list[str]:
    """The class folders, sorted by code point; refuses images that lie in none."""
    loose = [image_id for image_id in ids if "/" not in image_id]
    if loose and len(loose) == len(ids):
        raise BadInput(
            one_class(root, class_names)
            or f"no labels: the data folder has {len(ids)} images and no class folders."
            " Use --labels FILE (lines `NAME label`), or one folder per class"
        )
    if loose:
        raise BadInput(
            f"{len(loose)} images lie beside the class folders ({some_of(loose)}) and have no class."
            " Move them into a folder, or use --labels FILE"
        )
    return sorted({image_id.partition("/")[0] for image_id in ids})


def _are_numbers(folders: Sequence[str], num_classes: int) -> bool:
    """Whether folders are class indices. Names of eight digits that are none are WordNet ids without their `n`."""
    if all(_WORDNET_OFFSET.fullmatch(folder) for folder in folders):
        return max(map(int, folders)) <= num_classes
    return all(_NUMBER.fullmatch(folder) for folder in folders)


def _by_number(folders: Sequence[str], num_classes: int, class_names: tuple[str, ...], offset: int) -> dict[str, int]:
    numbers = {folder: int(folder) for folder in folders}
    names = {name: index for index, name in enumerate(class_names)}
    seen: dict[int, str] = {}
    for folder, number in numbers.items():
        if problem := range_problem(number, num_classes, offset, numbers.values()):
            raise BadInput(f"class folder {folder!r}: {problem}")
        if seen.setdefault(number, folder) != folder:
            raise BadInput(f"class folders {seen[number]!r} and {folder!r} have the same number. {_WAY_OUT}")
        if names.get(folder, number - offset) != number - offset:
            raise BadInput(
                f"class folder {folder!r} is both a number and the name of class {names[folder]}. {_WAY_OUT}"
            )
    return {folder: number - offset for folder, number in numbers.items()}


def _by_name(
    folders: Sequence[str], num_classes: int, class_names: tuple[str, ...], ids: Sequence[str], root: str
) -> tuple[dict[str, int], Message]:
    """Classes by name, or else by order, and the words for it."""
    names = ClassNames((name, index) for index, name in enumerate(class_names))
    found = {folder: names.find(folder) for folder in folders}
    if all(found.values()):
        twice = next((folder for folder in folders if len(found[folder]) > 1), None)
        if twice is not None:
            raise BadInput(f"class folder {twice!r}: the model has several classes of that name. {_WAY_OUT}")
        source = Message("class folders, numbered by the model's class names")
        return {folder: found[folder][0] for folder in folders}, source
    if problem := one_level_off(root, ids):
        raise BadInput(problem)
    numeric = [folder for folder in folders if _NUMBER.fullmatch(folder)]
    if numeric and len(numeric) < len(folders):
        other = next(folder for folder in folders if folder not in numeric)
        raise BadInput(f"class folders mix numbers ({numeric[0]!r}) and names ({other!r}). {_WAY_OUT}")
    if len(folders) != num_classes:
        raise BadInput(
            f"{len(folders)} class folders ({some_of(folders)}) for a model of {num_classes} classes,"
            f" and their names do not tell which{_unnamed(folders, found, class_names)}. {_WAY_OUT},"
            f" or a label file with --labels{deeper_classes(ids, num_classes)}"
        )
    source = Message(
        "class folders, {classes} names in sorted order (as torchvision's ImageFolder)",
        classes=num_classes,
    )
    return {folder: index for index, folder in enumerate(folders)}, source


def _unnamed(folders: Sequence[str], found: dict[str, tuple[int, ...]], class_names: tuple[str, ...]) -> str:
    """Why the model's class names do not help."""
    if not class_names:
        return ": the model's spec has no class names"
    lacking = [folder for folder in folders if not found[folder]]
    return f": {some_of(lacking)} is not among the model's class names"


def _by_map(folders: Sequence[str], by_map: ClassMap, offset: int, off: str) -> dict[str, int]:
    found = {folder: by_map.names.find(folder) for folder in folders}
    shown = one_line(by_map.path)
    if lacking := [folder for folder in folders if not found[folder]]:
        raise BadInput(
            off
            or f"{shown}: {len(lacking)} of {len(folders)} folders are missing from the class map ({some_of(lacking)})"
        )
    if twice := [folder for folder in folders if len(found[folder]) > 1]:
        raise BadInput(f"{shown}: the class map has several classes named {twice[0]!r}")
    return {folder: found[folder][0] - offset for folder in folders}


def _shared_warning(classes: dict[str, int]) -> Message | None:
    shared = [index for index, count in Counter(classes.values()).items() if count > 1]
    if not shared:
        return None
    folders = [folder for folder, index in classes.items() if index == shared[0]]
    return Message(
        "{count} classes have several folders (class {number}: {folders})",
        count=len(shared),
        number=shared[0],
        folders=some_of(folders),
    )
