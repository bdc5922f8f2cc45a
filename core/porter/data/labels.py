"""Labels of images: lines of a label file matched to images by name, or, where labels stand alone, by position."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from porter.data.image_names import FIRST_LOOSE, KEYS, path_key, some_of, suffix_of
from porter.data.label_classes import KnownClasses, LabelClasses
from porter.data.label_file import LabelFile, LabelLine
from porter.errors import BadInput, one_line
from porter.records.message import Message, Text

_IMAGENET = re.compile(r"ILSVRC20[0-9]{2}_(?:val|test)_([0-9]{8})", re.ASCII)
"""Names of ImageNet's own images, whose numbers are those of the lines in its lists of labels."""
_ALONE = "Write the image name beside each label: `NAME label`"


class Unmatched(BadInput):
    """An image has no label of its own: perhaps the folder is not the one that the labels are for."""


@dataclass(frozen=True)
class Matched:
    """The class of every image."""

    labels: dict[str, int]
    """Class index (0-based, the offset subtracted) of each image, in the order of the images."""
    source: Text
    """How labels were given to images, in words for the documents."""
    warnings: tuple[Text, ...]
    """What was odd but not refused, one line each."""


def match_labels(ids: Sequence[str], file: LabelFile, known: KnownClasses) -> Matched:
    """Give each image of `ids` the class that `file` holds for its name.

    A name is an image's if it equals the image's identifier; else if their last parts are equal; else if they are equal
    without case, suffix, percent-encoding and width, in each case where no other image and no other name is. Names are
    compared in Unicode NFC (macOS and Linux spell accents apart), with `\\` read as `/` and a leading `./` dropped.

    Labels without names belong to the images sorted by name; ImageNet's own images have the number of their line.

    Raises `BadInput`, naming the file and the line where there is one, for images without a label, no match at all, a
    name that has two labels or fits several images, and a label that is no class. Labels without an image, repeated
    lines, and labels that seem to count from 1 become warnings.
    """
    classes = LabelClasses(file, known)
    return _by_position(ids, file, classes) if file.alone else _by_name(ids, file, classes)


def listed_labels(file: LabelFile, known: KnownClasses) -> list[tuple[str, int]]:
    """Name and class of every line, for where the images themselves are not here. Raises what `match_labels` does."""
    if file.alone:
        raise BadInput(f"{file.at(1)}: a label without a name. {_ALONE}")
    classes = LabelClasses(file, known)
    return [(line.name, classes.index(line)) for line in file.read()]


# --- by name ---------------------------------------------------------------------------------------------------------


@dataclass
class _Hit:
    """The line of an image, so far."""

    level: int
    line: LabelLine
    index: int
    clash: str = ""


@dataclass
class _Matching:
    """All images against the lines of one file, a line at a time."""

    ids: Sequence[str]
    file: LabelFile
    classes: LabelClasses
    hits: dict[int, _Hit] = field(default_factory=dict)
    """By the place of the image."""
    ambiguous: dict[int, tuple[int, str]] = field(default_factory=dict)
    """For images that share a name: the level, and the reason."""
    lines: int = 0
    unused: list[str] = field(default_factory=list)
    """The first few."""
    unused_count: int = 0
    repeated: list[int] = field(default_factory=list)
    holders: dict[int, dict[str, list[int]]] = field(default_factory=dict)
    """For each key of `KEYS` that was needed, the images by it."""

    def add(self, line: LabelLine) -> None:
        self.lines += 1
        if KEYS[-1](line.name) not in self._images(-1):  # names that are the same under any key are so under the last
            self._spare(line.name)
            return
        for level, key in enumerate(KEYS):
            if images := self._images(level).get(key(line.name)):
                break
        else:
            self._spare(line.name)
            return
        if len(images) > 1:
            reason = f"{line.name!r} fits {len(images)} images ({some_of([self.ids[i] for i in images])})"
            where = f"{self.file.unit} {line.line}: {reason}. Write paths relative to the data folder"
            self.ambiguous.update((image, (level, where)) for image in images if image not in self.ambiguous)
            self._spare("" if any(image not in self.hits for image in images) else line.name)
            return
        self._give(images[0], _Hit(level, line, self.classes.index(line)))

    def _give(self, image: int, new: _Hit) -> None:
        old = self.hits.get(image)
        if old is None or new.level < old.level:
            self.hits[image] = new
            if old is not None:
                self._spare(old.line.name)
        elif new.level > old.level:
            self._spare(new.line.name)
        elif new.index == old.index:
            self.repeated.append(new.line.line)
        elif not old.clash:
            old.clash = self._clash(image, old.line, new.line)

    def _clash(self, image: int, old: LabelLine, new: LabelLine) -> str:
        unit = self.file.unit
        if path_key(old.name) == path_key(new.name):
            return f"{unit} {new.line}: {new.name!r} has label {new.label} here and {old.label} in {unit} {old.line}"
        return (
            f"{unit} {new.line}: {new.name!r} and {old.name!r} ({unit} {old.line}) both fit image {self.ids[image]!r}."
            " Write paths relative to the data folder"
        )

    def _images(self, level: int) -> dict[str, list[int]]:
        """Made when a line first needs it: most files match by path."""
        if level not in self.holders:
            groups: dict[str, list[int]] = defaultdict(list)
            for place, image_id in enumerate(self.ids):
                if name := KEYS[level](image_id):
                    groups[name].append(place)
            self.holders[level] = dict(groups)
        return self.holders[level]

    def _spare(self, name: str) -> None:
        if name:
            self.unused_count += 1
            if len(self.unused) < 4:
                self.unused.append(name)

    def check(self) -> None:
        """Raise `BadInput` where an image has no label, or not one alone."""
        shown = one_line(self.file.path)
        if clash := next((hit.clash for hit in self.hits.values() if hit.clash), ""):
            raise BadInput(f"{shown}, {clash}")
        for image, (level, reason) in self.ambiguous.items():
            if image not in self.hits or self.hits[image].level > level:
                raise Unmatched(f"{shown}, {reason}")
        if len(self.hits) == len(self.ids):
            return
        missing = [image_id for place, image_id in enumerate(self.ids) if place not in self.hits]
        if not self.hits:
            name = next(self.file.read()).name
            raise Unmatched(
                f"{shown}: no label matches an image by name. The file has {name!r}, the folder {self.ids[0]!r}"
            )
        raise Unmatched(
            f"{shown}: no label for {len(missing)} of {len(self.ids)} images ({some_of(missing)});"
            " add them to the file, or remove the images"
        )

    def warnings(self) -> Iterator[Message]:
        path = one_line(self.file.path)
        if self.unused_count:
            yield Message(
                "{path}: {unused} of {labels} labels have no image ({first})",
                path=path,
                unused=self.unused_count,
                labels=self.lines - len(self.repeated),
                first=some_of(self.unused, self.unused_count),
            )
        if self.repeated:
            yield Message(
                "{path}: {repeated} lines repeat an earlier line (first: line {line})",
                path=path,
                repeated=len(self.repeated),
                line=self.repeated[0],
            )
        loose = [hit.line.name for hit in self.hits.values() if hit.level >= FIRST_LOOSE]
        if loose and any(suffix_of(name) for name in loose):
            yield Message(
                "{path}: {count} names match their images only if case, suffix, encoding or character "
                "width is ignored ({first})",
                path=path,
                count=len(loose),
                first=some_of(loose),
            )


def _by_name(ids: Sequence[str], file: LabelFile, classes: LabelClasses) -> Matched:
    matching = _Matching(ids, file, classes)
    for line in file.read():
        matching.add(line)
    matching.check()
    labels = {image_id: matching.hits[place].index for place, image_id in enumerate(ids)}
    source = Message("label file {name}, matched by name", name=file.path.name)
    warnings = [*matching.warnings(), *_doubts(file, classes)]
    return Matched(labels, _with_classes(source, classes), tuple(warnings))


# --- by position -----------------------------------------------------------------------------------------------------


def _by_position(ids: Sequence[str], file: LabelFile, classes: LabelClasses) -> Matched:
    count = sum(1 for _ in file.read())
    numbers = [_IMAGENET.match(image_id.rpartition("/")[2]) for image_id in ids]
    images = {int(found[1]): image_id for found, image_id in zip(numbers, ids, strict=True) if found}
    if len(images) == len(ids) and 1 <= min(images) <= max(images) <= count:
        source = Message("label file {name}, matched by the numbers in image names", name=file.path.name)
    elif count == len(ids):
        _require_one_order(ids, file)
        images = dict(enumerate(sorted(ids), 1))
        source = Message("label file {name}, one label per line, in the order of image names", name=file.path.name)
    else:
        raise Unmatched(
            f"{one_line(file.path)}: {count} labels without names for {len(ids)} images ({some_of(ids)}). {_ALONE}"
        )
    found = {images[place]: classes.index(line) for place, line in enumerate(file.read(), 1) if place in images}
    labels = {image_id: found[image_id] for image_id in ids}
    return Matched(labels, _with_classes(source, classes), tuple(_doubts(file, classes)))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return [(0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part) for part in parts]


def _require_one_order(ids: Sequence[str], file: LabelFile) -> None:
    """Refuse labels in the order of names that people sort in more than one way."""
    ordered = sorted(ids)
    ways = {
        "2 before 10": sorted(ids, key=_natural),
        "without case": sorted(ids, key=str.casefold),
        "without folders": sorted(ids, key=lambda image_id: image_id.rpartition("/")[2]),
    }
    for way, other in ways.items():
        if other != ordered:
            first = next(place for place, pair in enumerate(zip(ordered, other, strict=True)) if pair[0] != pair[1])
            raise BadInput(
                f"{file.at(first + 1)}: labels without names, and the order of the images is ambiguous: "
                f"sorted {way}, image"
                f" {first + 1} is {other[first]!r}, else {ordered[first]!r}. {_ALONE}"
            )


# --- words -----------------------------------------------------------------------------------------------------------


def _with_classes(source: Message, classes: LabelClasses) -> Text:
    return Message("{source}; {classes}", source=source, classes=classes.by) if classes.by else source


def _doubts(file: LabelFile, classes: LabelClasses) -> Iterator[Message]:
    path = one_line(file.path)
    if classes.doubt is not None:
        yield Message("{path}: {doubt}", path=path, doubt=classes.doubt)
    if file.alone and classes.may_be_devkit:
        yield Message(
            "{path}: numbers 1 to {classes} may be ImageNet's ILSVRC2012_ID, whose order differs from "
            "the model's classes. If so, use `--class-map` with the devkit's map_clsloc.txt",
            path=path,
            classes=1000,
        )
