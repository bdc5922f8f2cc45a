"""Label files: one `NAME label` a line, matched to images by name and never by the order of lines."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from porter.data.indices import numbering_warning, parse_index, range_problem
from porter.errors import BadInput, one_line
from porter.files.textfile import entries, read_text, split_last
from porter.records.message import Message, Text

_SHOWN = 3
"""How many names a message lists."""


@dataclass(frozen=True)
class LabelLine:
    """One line of a label file."""

    name: str
    """As the file spells it: a path relative to the data folder, or a bare file name."""
    label: int
    """As the file gives it, before any offset."""
    line: int
    """Number of the line, from 1."""


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """A label file as read."""

    path: Path
    sha256: str
    entries: tuple[LabelLine, ...]


@dataclass(frozen=True)
class Matched:
    """The class of every image."""

    labels: dict[str, int]
    """Class index (0-based, the offset subtracted) of each image, in the order of the images."""
    warnings: tuple[Text, ...]
    """What was odd but not refused, one line each."""


def read_label_file(path: Path) -> LabelFile:
    """Read a label file: UTF-8 lines `NAME label`, parted at the last blanks or tab, so a name may hold blanks.

    Blank lines are passed over, and lines that begin with `# `. Raises `BadInput`, naming the file and the line, for a
    line without a name, a label that is not a whole number, and a file that cannot be read or holds no label.
    """
    file = read_text(path, "label file")
    lines = []
    for number, line in entries(file.text):
        name, written = split_last(line)
        where = f"{one_line(path)}, line {number}"
        if not name:
            raise BadInput(
                f"{where}: {line[:80]!r} is not `NAME label` with a blank between;"
                " labels are matched to images by name, never by the order of lines"
            )
        label = parse_index(written)
        if label is None:
            raise BadInput(f"{where}: label {written[:80]!r} of {name!r} is not a whole number")
        lines.append(LabelLine(name, label, number))
    if not lines:
        raise BadInput(f"{one_line(path)}: no labels in it, only blank lines and comments")
    return LabelFile(path=path, sha256=file.sha256, entries=tuple(lines))


def match_labels(ids: Sequence[str], labelfile: LabelFile, num_classes: int, offset: int = 0) -> Matched:
    """Give each image of `ids` the label that `labelfile` holds for its name, minus `offset`.

    A name is an image's if it equals the image's identifier; else if their last parts are equal, and no other image
    and no other name has that last part. Names are compared in Unicode NFC (macOS and Linux spell accents apart), with
    `\\` read as `/` and a leading `./` dropped.

    Raises `BadInput`, naming the file and the line where there is one, for images without a label, no match at all, a
    name that has two labels or fits several images, and a label outside 0..num_classes-1. Labels without an image,
    repeated lines, and labels that seem to count from 1 become warnings.
    """
    shown = one_line(labelfile.path)
    _check_range(labelfile, num_classes, offset)
    lines, repeated = _distinct(labelfile)
    matched, ambiguous = _match(ids, lines)
    missing = [i for i in ids if i not in matched]
    if ids and not matched and not ambiguous:
        raise BadInput(
            f"{shown}: no label matches any image by name; the file has {lines[0].name!r}, the folder {ids[0]!r}"
        )
    if clash := next((ambiguous[i] for i in missing if i in ambiguous), ""):
        raise BadInput(f"{shown}, {clash}")
    if missing:
        raise BadInput(
            f"{shown}: no label for {len(missing)} of {len(ids)} images ({_first(missing)});"
            " they could not be scored: add them to the file or take them out of the folder"
        )
    labels = {i: matched[i].label - offset for i in ids}
    used = {line.line for line in matched.values()}
    unused = [line.name for line in lines if line.line not in used]
    doubt = numbering_warning({line.label for line in lines}, num_classes) if offset == 0 else None
    return Matched(labels, tuple(_warnings(shown, lines, unused, repeated, doubt)))


def _warnings(
    path: str, lines: Sequence[LabelLine], unused: Sequence[str], repeated: Sequence[LabelLine], doubt: Message | None
) -> Iterator[Message]:
    if unused:
        yield Message(
            "{path}: {unused} of {labels} labels have no image ({first})",
            path=path,
            unused=len(unused),
            labels=len(lines),
            first=_first(unused),
        )
    if repeated:
        yield Message(
            "{path}: {repeated} lines repeat an earlier one (first: line {line})",
            path=path,
            repeated=len(repeated),
            line=repeated[0].line,
        )
    if doubt is not None:
        yield Message("{path}: {doubt}", path=path, doubt=doubt)


def _first(names: Sequence[str]) -> str:
    listed = ", ".join(repr(name) for name in names[:_SHOWN])
    return listed + (", …" if len(names) > _SHOWN else "")


def _path_key(name: str) -> str:
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def _base_key(name: str) -> str:
    return _path_key(name).rpartition("/")[2]


def _check_range(labelfile: LabelFile, num_classes: int, offset: int) -> None:
    labels = {line.label for line in labelfile.entries}
    for line in labelfile.entries:
        if problem := range_problem(line.label, num_classes, offset, labels):
            raise BadInput(f"{one_line(labelfile.path)}, line {line.line}: {problem}")


def _distinct(labelfile: LabelFile) -> tuple[list[LabelLine], list[LabelLine]]:
    """The lines without repetitions, and the lines that repeat another; two labels for one name are refused."""
    first: dict[str, LabelLine] = {}
    repeated = []
    for line in labelfile.entries:
        before = first.setdefault(_path_key(line.name), line)
        if before is line:
            continue
        if before.label != line.label:
            raise BadInput(
                f"{one_line(labelfile.path)}, line {line.line}: {line.name!r} has label {line.label} here"
                f" and {before.label} in line {before.line}"
            )
        repeated.append(line)
    return list(first.values()), repeated


def _match(ids: Sequence[str], lines: Sequence[LabelLine]) -> tuple[dict[str, LabelLine], dict[str, str]]:
    """The line of each image that has exactly one, and for images whose names are ambiguous the reason."""
    matched: dict[str, LabelLine] = {}
    ambiguous: dict[str, str] = {}
    for key in (_path_key, _base_key):
        images = _grouped(ids, key)
        named: dict[str, list[LabelLine]] = defaultdict(list)
        used = {line.line for line in matched.values()}
        for line in lines:
            if line.line not in used:
                named[key(line.name)].append(line)
        for name, candidates in named.items():
            holders = images.get(name, [])
            if len(holders) == 1 and len(candidates) == 1:
                matched.setdefault(holders[0], candidates[0])
            elif holders:
                reason = _ambiguity(candidates, holders)
                ambiguous.update((holder, reason) for holder in holders)
    return matched, ambiguous


def _grouped(ids: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for image_id in ids:
        groups[key(image_id)].append(image_id)
    return groups


def _ambiguity(candidates: Sequence[LabelLine], holders: Sequence[str]) -> str:
    first = candidates[0]
    if len(holders) > 1:
        return (
            f"line {first.line}: {first.name!r} fits {len(holders)} images ({_first(holders)});"
            " write paths relative to the data folder"
        )
    return (
        f"line {candidates[1].line}: {candidates[1].name!r} and {first.name!r} (line {first.line})"
        f" both fit image {holders[0]!r}; write paths relative to the data folder"
    )
