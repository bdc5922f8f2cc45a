"""A data folder one level too high or too low: what is there instead of class folders, and which folder is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from porter.data.class_names import WORDNET, ClassNames
from porter.data.image_names import some_of
from porter.errors import one_line

_SPLIT = re.compile(
    r"(?:train|training|trainval|val|valid|validation|test|testing|dev|eval|evaluation|minival)(?:[-_.]?[0-9]+)?",
    re.IGNORECASE,
)
_SCORED_FIRST = ("val", "dev", "eval", "test")
"""Of several splits the first of these is scored, as a rule."""


def one_level_off(root: str, ids: Sequence[str]) -> str:
    """That the first folders are no classes but splits, or one folder around everything, and the folder to give;
    empty where they may be classes."""
    around = _around(ids)
    skip = len(around)
    inside = sorted({parts[skip] for image_id in ids if len(parts := image_id.split("/")) > skip + 1})
    splits = [name for name in inside if _SPLIT.fullmatch(name)]
    if len(splits) > 1 or (splits and splits == inside):
        meant = min(splits, key=_preference)
        return (
            f"--data {one_line(root)}: {some_of(splits)} are splits, not classes."
            f" Use --data {one_line(_below(root, [*around, meant]))}{_and_labels(ids, [*around, meant])}"
        )
    if not around:
        return ""
    return (
        f"--data {one_line(root)}: everything is in {'/'.join(around)!r}, which is not a class."
        f" Use --data {one_line(_below(root, around))}{_and_labels(ids, around)}"
    )


def _around(ids: Sequence[str]) -> list[str]:
    """The folders that lie around all images, one in another; a split ends them."""
    around: list[str] = []
    rests = [image_id.split("/")[:-1] for image_id in ids]
    while all(rests) and len({rest[0] for rest in rests}) == 1 and not _SPLIT.fullmatch(rests[0][0]):
        around.append(rests[0][0])
        rests = [rest[1:] for rest in rests]
    return around


def _preference(name: str) -> tuple[int, str]:
    starts = (place for place, start in enumerate(_SCORED_FIRST) if name.lower().startswith(start))
    return next(starts, len(_SCORED_FIRST)), name


def _and_labels(ids: Sequence[str], folder: Sequence[str]) -> str:
    prefix = "/".join(folder) + "/"
    inside = [image_id.removeprefix(prefix) for image_id in ids if image_id.startswith(prefix)]
    return " and a label file with --labels" if any("/" not in name for name in inside) else ""


def _below(root: str, parts: Sequence[str]) -> str:
    """A folder of the data; in a chain of URLs it stands before the archive."""
    first, chained, rest = root.partition("::")
    between = "" if first.endswith("/") else "/"
    return f"{first}{between}{'/'.join(parts)}{chained}{rest}"


def one_class(root: str, class_names: Sequence[str]) -> str:
    """That a flat folder is that of one class, and the folder to give; empty where its name is no class's."""
    parent, _, name = root.rstrip("/").rpartition("/")
    names = ClassNames((one, index) for index, one in enumerate(class_names))
    if "::" in root or not parent or not (WORDNET.fullmatch(name) or names.find(name)):
        return ""
    return (
        f"--data {one_line(root)}: this is the folder of a single class. Use --data "
        f"{one_line(parent)}, which has all classes"
    )


def deeper_classes(ids: Sequence[str], num_classes: int) -> str:
    """That the folders one level deeper may be the classes; empty where they may not."""
    deeper = {parts[1] for image_id in ids if len(parts := image_id.split("/")) > 2}
    if not deeper or any(image_id.count("/") < 2 for image_id in ids):
        return ""
    if len(deeper) != num_classes and not all(WORDNET.fullmatch(name) for name in deeper):
        return ""
    return f"; the {len(deeper)} folders one level deeper ({some_of(sorted(deeper))}) may be the classes. Move them up"
