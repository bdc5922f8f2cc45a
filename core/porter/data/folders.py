"""Class folders: the first folder of an image's path says its class."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porter.data.indices import numbering_warning, parse_index, range_problem
from porter.errors import BadInput, one_line
from porter.files.textfile import TextFile, entries, read_text, split_last
from porter.records.message import Message, Text

_SHOWN = 3
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_WAY_OUT = "give a class map (lines `FOLDER index`) with --class-map"


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
) -> FolderLabels:
    """Class of each image of `ids` by the first part of its path.

    The first of these that applies gives a folder its class: `class_map`, a file; the folder's name as a whole number
    (read as a number: sorted as text, 10 would come before 2); the folder's place among `class_names`; its place among
    the sorted folders, where there are exactly `num_classes` of them (torchvision's `ImageFolder`, right for WordNet
    identifiers). `offset` is subtracted from the indices of a class map and from numeric names.

    Raises `BadInput` for images that lie in no folder, a folder that has no class, an index outside 0..num_classes-1,
    numeric and other names mixed, and where none of the ways applies.
    """
    folders = _folders(ids)
    digest = ""
    source: Text
    by_index = class_map is not None or all(_NUMBER.fullmatch(folder) for folder in folders)
    if class_map is not None:
        classes, digest = _by_map(folders, class_map, num_classes, offset)
        source = Message("class folders, by the class map {name}", name=class_map.name)
    elif by_index:
        classes = _by_number(folders, num_classes, class_names, offset)
        source = Message("class folders, whose names are the class indices")
    else:
        classes, source = _by_name(folders, num_classes, class_names)
        if offset:
            raise BadInput(f"--label-offset {offset}: these class folders have names, not numbers; {_WAY_OUT}")
    if offset:
        source = Message("{source}, minus {offset}", source=source, offset=offset)
    doubt = numbering_warning(set(classes.values()), num_classes) if by_index and offset == 0 else None
    labels = {image_id: classes[image_id.partition("/")[0]] for image_id in ids}
    return FolderLabels(labels, source, tuple(w for w in (doubt, _shared_warning(classes)) if w), digest)


def _folders(ids: Sequence[str]) -> list[str]:
    """The class folders, sorted by code point; refuses images that lie in none."""
    loose = [image_id for image_id in ids if "/" not in image_id]
    if loose and len(loose) == len(ids):
        raise BadInput(
            f"no labels: the data folder holds {len(ids)} images and no class folders;"
            " give a label file (lines `NAME label`) with --labels, or one folder for each class"
        )
    if loose:
        raise BadInput(
            f"{len(loose)} images lie beside the class folders ({_first(loose)}) and have no class;"
            " move them into a folder, or give a label file with --labels"
        )
    return sorted({image_id.partition("/")[0] for image_id in ids})


def _first(names: Sequence[str]) -> str:
    return ", ".join(repr(n) for n in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _by_number(folders: Sequence[str], num_classes: int, class_names: tuple[str, ...], offset: int) -> dict[str, int]:
    numbers = {folder: int(folder) for folder in folders}
    names = {name: index for index, name in enumerate(class_names)}
    seen: dict[int, str] = {}
    for folder, number in numbers.items():
        if problem := range_problem(number, num_classes, offset, numbers.values()):
            raise BadInput(f"class folder {folder!r}: {problem}")
        if seen.setdefault(number, folder) != folder:
            raise BadInput(f"class folders {seen[number]!r} and {folder!r} are the same number; {_WAY_OUT}")
        if names.get(folder, number - offset) != number - offset:
            raise BadInput(
                f"class folder {folder!r} is a number, and also the name of class {names[folder]}; {_WAY_OUT}"
            )
    return {folder: number - offset for folder, number in numbers.items()}


def _by_name(folders: Sequence[str], num_classes: int, class_names: tuple[str, ...]) -> tuple[dict[str, int], Message]:
    """Classes by name, or else by order, and the words for it."""
    known = Counter(_nfc(name) for name in class_names)
    if known and all(known[_nfc(folder)] for folder in folders):
        twice = next((folder for folder in folders if known[_nfc(folder)] > 1), None)
        if twice is not None:
            raise BadInput(f"class folder {twice!r}: the model has several classes of that name; {_WAY_OUT}")
        places = {_nfc(name): index for index, name in enumerate(class_names)}
        source = Message("class folders, by the model's class names")
        return {folder: places[_nfc(folder)] for folder in folders}, source
    if numeric := [folder for folder in folders if _NUMBER.fullmatch(folder)]:
        other = next(folder for folder in folders if folder not in numeric)
        raise BadInput(f"class folders mix numbers ({numeric[0]!r}) and names ({other!r}); {_WAY_OUT}")
    if len(folders) != num_classes:
        raise BadInput(
            f"{len(folders)} class folders ({_first(folders)}) for a model of {num_classes} classes,"
            f" and their names do not say which is which; {_WAY_OUT}, or a label file with --labels"
        )
    source = Message(
        "class folders, the {classes} names in sorted order (the convention of torchvision's ImageFolder)",
        classes=num_classes,
    )
    return {folder: index for index, folder in enumerate(folders)}, source


def _by_map(folders: Sequence[str], path: Path, num_classes: int, offset: int) -> tuple[dict[str, int], str]:
    file = read_text(path, "class map")
    written = _json_map(file, path) if file.text.lstrip().startswith("{") else _line_map(file, path)
    for folder, index in written.items():
        if problem := range_problem(index, num_classes, offset, written.values()):
            raise BadInput(f"{one_line(path)}: folder {folder!r}: {problem}")
    lacking = [folder for folder in folders if _nfc(folder) not in written]
    if lacking:
        raise BadInput(
            f"{one_line(path)}: the class map lacks {len(lacking)} of {len(folders)} folders ({_first(lacking)})"
        )
    return {folder: written[_nfc(folder)] - offset for folder in folders}, file.sha256


def _line_map(file: TextFile, path: Path) -> dict[str, int]:
    classes: dict[str, int] = {}
    for number, line in entries(file.text):
        folder, written = split_last(line)
        index = parse_index(written)
        where = f"{one_line(path)}, line {number}"
        if not folder or index is None:
            raise BadInput(f"{where}: {line[:80]!r} is not `FOLDER index`")
        if classes.setdefault(_nfc(folder), index) != index:
            raise BadInput(f"{where}: folder {folder!r} has class {index} here and {classes[_nfc(folder)]} above")
    if not classes:
        raise BadInput(f"{one_line(path)}: the class map holds only blank lines and comments")
    return classes


def _json_map(file: TextFile, path: Path) -> dict[str, int]:
    try:
        pairs = json.loads(file.text, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{one_line(path)}: the class map is not valid JSON: {one_line(error)}") from None
    classes: dict[str, int] = {}
    for folder, index in pairs:
        if not isinstance(index, int) or isinstance(index, bool):
            raise BadInput(
                f'{one_line(path)}: class map: {folder!r} must have a whole number, as in {{"FOLDER": index}}'
            )
        if classes.setdefault(_nfc(folder), index) != index:
            raise BadInput(f"{one_line(path)}: class map: folder {folder!r} has two classes")
    return classes


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, in order: a plain dict would keep only the last of two equal keys."""


def _shared_warning(classes: dict[str, int]) -> Message | None:
    shared = [index for index, count in Counter(classes.values()).items() if count > 1]
    if not shared:
        return None
    folders = [folder for folder, index in classes.items() if index == shared[0]]
    return Message(
        "{count} classes have several folders (class {number}: {folders})",
        count=len(shared),
        number=shared[0],
        folders=_first(folders),
    )
