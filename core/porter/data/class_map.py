"""Class maps as people have them: which index a folder, a WordNet id or a name stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from porter.data.class_names import WORDNET, ClassNames
from porter.data.image_names import nfc
from porter.data.indices import parse_index, range_problem
from porter.data.label_json import Pairs, is_json, parse
from porter.data.layouts import FOLDERS, INDICES, Layout, fields, layout_of
from porter.errors import BadInput, one_line
from porter.files.textfile import few_entries, read_text, require_few_values, split_last
from porter.records.message import Message

_DEVKIT = re.compile(r"(?:(n[0-9]{8})[ \t,]+([0-9]{1,6})|([0-9]{1,6})[ \t,]+(n[0-9]{8}))(?:[ \t,]+(\S.*))?", re.ASCII)
_INDEX_FIRST = re.compile(r"\{?\s*([0-9]{1,6})\s*(?::|,|\s)\s*u?(['\"]?)(\S.*?)\2\s*,?\s*\}?", re.ASCII)
_FOLDER_INDEX = "`FOLDER index`"


@dataclass(frozen=True, kw_only=True)
class ClassMap:
    """A class map as read."""

    path: Path
    sha256: str
    names: ClassNames
    indices: frozenset[int]
    """All indices of the file, as written."""
    warning: Message | None = None
    """What a reader of the results must know of it."""


Entry = tuple[str, int]


def read_class_map(path: Path, num_classes: int, offset: int = 0) -> ClassMap:
    """Read a class map for a model of `num_classes` classes.

    It is one of: lines `FOLDER index`, or such a table; JSON `{"FOLDER": index}`, `{"index": "NAME"}`,
    `{"index": ["n01440764", "NAME"]}`, a list of names, or a hub's config with `id2label` or `label2id`; names, one a
    line, whose index is their place; the `map_clsloc.txt` of ImageNet's devkit.

    Raises `BadInput`, naming the file and where there is one the line, for a file in no such form, a name with two
    indices, and an index that `offset` does not bring into 0..num_classes-1.
    """
    file = read_text(path, "class map")
    shown = one_line(path)
    warning = None
    if is_json(file.text):
        require_few_values(file.text, shown)
        found = _from_json(file.text, shown, num_classes)
    else:
        lines = few_entries(file.text, shown)
        if not lines:
            raise BadInput(f"{shown}: the class map has only blank lines and comments")
        devkit = _from_devkit([line for _, line in lines], num_classes)
        found = devkit or _from_lines(lines, shown, num_classes)
        if devkit:
            warning = Message(
                "{path}: contains ImageNet's ILSVRC2012_ID numbers; classes are numbered by sorted WordNet id",
                path=shown,
            )
    indices = frozenset(index for _, index in found)
    for name, index in found:
        if problem := range_problem(index, num_classes, offset, indices):
            raise BadInput(f"{shown}: folder {name!r}: {problem}")
    return ClassMap(
        path=path,
        sha256=file.sha256,
        names=ClassNames(found),
        indices=indices,
        warning=warning or _order_warning(found, shown),
    )


def _order_warning(found: Sequence[Entry], shown: str) -> Message | None:
    """WordNet ids that a file numbers otherwise than sorted, as nearly no published model does."""
    ids = sorted((name, index) for name, index in found if WORDNET.fullmatch(name))
    if len(ids) < 10 or [index for _, index in ids] == sorted(index for _, index in ids):
        return None
    return Message(
        "{path}: WordNet ids are not numbered in sorted order. ImageNet's devkit does so "
        "(ILSVRC2012_ID), most models do not",
        path=shown,
    )


# --- text ------------------------------------------------------------------------------------------------------------


def _from_devkit(lines: Sequence[str], num_classes: int) -> list[Entry]:
    """The classes of `map_clsloc.txt`: `n02119789 1 kit_fox`, or `1 n02119789`, whose numbers are no indices of models.

    Only for exactly the numbers 1 to C in another order than the WordNet ids. Numbers count as names, so that labels
    that are such numbers can be read.
    """
    matches = [found for line in lines if (found := _DEVKIT.fullmatch(line))]
    rows = [(found[1] or found[4], int(found[2] or found[3]), found[5] or "") for found in matches]
    if len(rows) != len(lines) or len(rows) != num_classes:
        return []
    if all(found[1] and not found[5] for found in matches):  # `FOLDER index` says what it says
        return []
    if {number for _, number, _ in rows} != set(range(1, num_classes + 1)):
        return []
    ordered = sorted(rows)
    if [number for _, number, _ in ordered] == list(range(1, num_classes + 1)):
        return []
    return [
        (name, index)
        for index, (folder, number, words) in enumerate(ordered)
        for name in (folder, str(number), words)
        if name
    ]


def _from_lines(lines: Sequence[tuple[int, str]], shown: str, num_classes: int) -> list[Entry]:
    texts = [line for _, line in lines]
    try:
        layout = layout_of(texts[:50], FOLDERS, INDICES)
    except BadInput:  # columns, and nothing says which
        if columns := _from_columns(texts):
            return columns
        layout = Layout(delimiter="")
    if layout.delimiter in ("\t", ",", ";") and (layout.header or _ends_in_index(texts[0], layout.delimiter)):
        rows = [(number, *_row(layout.split, line, shown, number)) for number, line in lines[layout.header :]]
        return _direct(rows, shown)
    parted = [(number, *split_last(line)) for number, line in lines[layout.header :]]
    if sum(bool(folder) and parse_index(index) is not None for _, folder, index in parted) * 2 >= len(parted):
        return _direct(parted, shown)
    numbered = [found for line in texts if (found := _INDEX_FIRST.fullmatch(line))]
    if len(numbered) == len(texts):
        return [(found[3], int(found[1])) for found in numbered]
    return _by_place([re.sub(r"\s+", " ", line) for line in texts], shown, num_classes)


def _from_columns(texts: Sequence[str]) -> list[Entry]:
    """A table without a header whose one column of numbers are the indices, and whose others are names."""
    rows = [fields(line, delimiter) for delimiter in ("\t", ",", ";") for line in texts if delimiter in line]
    if len(rows) != len(texts) or len({len(row) for row in rows}) != 1:
        return []
    numeric = [place for place in range(len(rows[0])) if all(parse_index(row[place]) is not None for row in rows)]
    if len(numeric) != 1:
        return []
    return [
        (name, parse_index(row[numeric[0]]) or 0)
        for row in rows
        for place, name in enumerate(row)
        if place != numeric[0] and name
    ]


def _ends_in_index(line: str, delimiter: str) -> bool:
    return parse_index(line.rpartition(delimiter)[2].strip()) is not None


def _row(split: Any, line: str, shown: str, number: int) -> tuple[str, str]:
    try:
        name, label = split(line)
    except ValueError as error:
        raise BadInput(f"{shown}, line {number}: {error}") from None
    return name, label


def _direct(rows: Sequence[tuple[int, str, str]], shown: str) -> list[Entry]:
    classes: dict[str, int] = {}
    for number, folder, written in rows:
        index = parse_index(written)
        if not folder or index is None:
            raise BadInput(f"{shown}, line {number}: {f'{folder} {written}'[:80].strip()!r} is not {_FOLDER_INDEX}")
        if classes.setdefault(nfc(folder), index) != index:
            raise BadInput(
                f"{shown}, line {number}: folder {folder!r} has class {index} here and {classes[nfc(folder)]} above"
            )
    return list(classes.items())


def _by_place(names: Sequence[str], shown: str, num_classes: int) -> list[Entry]:
    """One name a line: its place is the index, where there are as many as classes."""
    if len(names) != num_classes:
        raise BadInput(
            f"{shown}: {len(names)} names ({names[0][:80]!r}, …) for a model of {num_classes} classes;"
            f" a class map has lines {_FOLDER_INDEX}, or the name of every class, in order"
        )
    return [(name, index) for index, name in enumerate(names)]


# --- JSON ------------------------------------------------------------------------------------------------------------


def _from_json(text: str, shown: str, num_classes: int) -> list[Entry]:
    try:
        value = parse(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{shown}: the class map is not valid JSON: {one_line(error)[:200]}") from None
    if isinstance(value, Pairs):
        for key in ("id2label", "label2id", "class_to_idx", "idx_to_class", "categories", "classes", "names"):
            inner = dict(value).get(key)
            if isinstance(inner, list) and inner:
                value = inner
                break
    if isinstance(value, Pairs):
        return _of_object(value, shown, num_classes)
    if isinstance(value, list) and value:
        return list(_of_list(value, shown, num_classes))
    raise BadInput(
        f'{shown}: the class map has no classes. It must be an object {{"FOLDER": index}} or a list of names'
    )


def _of_object(value: Pairs, shown: str, num_classes: int) -> list[Entry]:
    keys = [parse_index(key) for key, _ in value]
    written = [_whole(inner) for _, inner in value]
    if None not in keys and value and None in written:
        return [(name, int(key)) for key, inner in value for name in _names(inner, key, shown)]
    if value and all(WORDNET.fullmatch(key) for key, _ in value) and all(index is None for index in written):
        # {"n01440764": "tench"}: no index, as in synset_words.txt
        several = [(key, *_names(inner, key, shown)) for key, inner in value]
        _by_place([key for key, _ in value], shown, num_classes)
        return [(name, index) for index, names in enumerate(several) for name in names]
    classes: dict[str, int] = {}
    for (folder, _), index in zip(value, written, strict=True):
        if index is None:
            raise BadInput(f'{shown}: class map: {folder!r} needs a whole number, as in {{"FOLDER": index}}')
        if classes.setdefault(nfc(folder), index) != index:
            raise BadInput(f"{shown}: class map: folder {folder!r} has two classes")
    if not classes:
        raise BadInput(f"{shown}: the class map is empty")
    return list(classes.items())


def _whole(value: Any) -> int | None:
    return parse_index(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None


def _names(value: Any, key: str, shown: str) -> list[str]:
    """The names of one class: a text, or a WordNet id and its words."""
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return list(value)
    if isinstance(value, str) and value:
        return [value]
    raise BadInput(f"{shown}: class map: {key!r} needs a name, a list of names or a whole number")


def _of_list(value: Sequence[Any], shown: str, num_classes: int) -> Iterator[Entry]:
    if not all(isinstance(entry, Pairs) for entry in value):
        several = [_names(entry, str(place), shown) for place, entry in enumerate(value)]
        _by_place([names[0] for names in several], shown, num_classes)
        yield from ((name, place) for place, names in enumerate(several) for name in names)
        return
    for place, entry in enumerate(value):
        numbers = {key.lower(): inner for key, inner in entry if isinstance(inner, int) and not isinstance(inner, bool)}
        index = next((numbers[word] for word in INDICES if word in numbers), None)
        names = [inner for _, inner in entry if isinstance(inner, str)]
        if index is None or not names:
            raise BadInput(f"{shown}: class map: entry {place} needs an index and a name")
        yield from ((name, index) for name in names)
