"""Where the name and the label stand in the lines of a table, by its first lines."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from porter.data.class_names import WORDNET
from porter.data.image_names import has_image_suffix
from porter.data.indices import parse_index
from porter.errors import BadInput
from porter.files.textfile import split_last
from porter.images.formats import IMAGE_SUFFIXES


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES = _words(
    "imageid filename file name image img imagename imgname imagepath imgpath imagefile filepath path relpath fname id"
)
"""What tables call the column of images, in small letters and digits only; of several the first counts."""
LABELS = _words(
    "label labelid labelindex labelidx classid classindex classidx target y gt groundtruth categoryid index idx"
    " class category predictionstring wnid wordnetid synset synsetid labels classname labelname categoryname"
)
"""What they call the column of labels: numbers go before names."""
FOLDERS = _words("folder wnid wordnetid synset synsetid class classname name label labelname category")
"""What class maps call the column of folders or names."""
INDICES = _words("index idx classindex classidx classid labelid label id class target categoryid")
"""What they call the column of indices."""

BLANKS = " \t"
_BLANKS = "blanks"
_ALONE = "alone"
_DELIMITERS = ("\t", ",", ";")
_SUFFIXED = re.compile(
    rf"(.*?(?:{'|'.join(re.escape(suffix) for suffix in sorted(IMAGE_SUFFIXES, key=len, reverse=True))}))[ \t]+(\S.*)",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a line is parted."""

    delimiter: str
    """A character; `blanks`: at the last blanks; `alone`: the line is a label and nothing else."""
    name: int = 0
    label: int = 1
    width: int = 2
    header: bool = False
    """Whether the first line names the columns."""

    @property
    def alone(self) -> bool:
        """Whether lines are labels without names."""
        return self.delimiter == _ALONE

    def split(self, line: str) -> tuple[str, str]:
        """Name and label of a stripped line; empty strings for what is not there. Raises `ValueError`, with the reason,
        for another number of columns and for boxes of several classes."""
        if self.delimiter == _ALONE:
            return "", line
        if self.delimiter == _BLANKS:
            return _by_blanks(line)
        cells = fields(line, self.delimiter)
        if len(cells) != self.width:
            raise ValueError(f"{len(cells)} columns, {self.width} in the first line")
        return cells[self.name], _label(cells[self.label])


def fields(line: str, delimiter: str) -> list[str]:
    """The cells of one line, without blanks around them and without quotes."""
    if '"' not in line:
        return [cell.strip(BLANKS) for cell in line.split(delimiter)]
    try:
        return [cell.strip(BLANKS) for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))]
    except (csv.Error, StopIteration):
        return [line]


def is_label(text: str) -> bool:
    """Whether a text is a whole number or a WordNet id."""
    return parse_index(text) is not None or WORDNET.fullmatch(text) is not None


def layout_of(sample: Sequence[str], names: Sequence[str] = NAMES, labels: Sequence[str] = LABELS) -> Layout:
    """The layout of a table by its first lines; `names` and `labels` are what its columns may be called.

    In this order: a first line that names the columns; cells whose labels are numbers or WordNet ids; `NAME label` with
    blanks between; one label a line; two cells of text; `NAME label` where labels are text.
    """
    rows = {delimiter: [fields(line, delimiter) for line in sample] for delimiter in _DELIMITERS}
    tables = {delimiter: cells for delimiter, cells in rows.items() if len({len(row) for row in cells}) == 1}
    tables = {delimiter: cells for delimiter, cells in tables.items() if len(cells[0]) > 1}
    for delimiter, cells in tables.items():
        if columns := _named(cells[0], names, labels):
            return Layout(delimiter=delimiter, name=columns[0], label=columns[1], width=len(cells[0]), header=True)
    for delimiter, cells in tables.items():
        if (layout := _numeric(delimiter, cells)) is not None:
            return layout
    parted = [split_last(line) for line in sample]
    header = _named(sample[0].split(), names, labels) == (0, 1) and len(sample) > 1
    if all(name and is_label(label) for name, label in parted[header:]):
        return Layout(delimiter=_BLANKS, header=header)
    if all(is_label(line) for line in sample):
        return Layout(delimiter=_ALONE)
    suffixed = all(_SUFFIXED.fullmatch(line) for line in sample)
    for delimiter, cells in tables.items():
        if len(cells[0]) == 2 and (not suffixed or all(has_image_suffix(row[0]) for row in cells)):
            return Layout(delimiter=delimiter)
    if tables and not suffixed:
        width = len(next(iter(tables.values()))[0])
        raise BadInput(f"{width} columns without a header line. Add one, such as `name,label`")
    return Layout(delimiter=_BLANKS, header=header)


def _named(cells: Sequence[str], names: Sequence[str], labels: Sequence[str]) -> tuple[int, int] | None:
    """Places of the columns of names and labels, where a first line has both."""
    plain = [re.sub(r"[^a-z0-9]", "", cell.casefold()) for cell in cells]
    label = next((plain.index(word) for word in labels if word in plain), None)
    if label is None or any(map(has_image_suffix, cells)):
        return None
    name = next((plain.index(word) for word in names if word in plain and plain.index(word) != label), None)
    if name is None and len(cells) == 2 and plain[1 - label].isalpha():
        name = 1 - label
    return None if name is None else (name, label)


def _numeric(delimiter: str, cells: Sequence[Sequence[str]]) -> Layout | None:
    """The layout whose labels are numbers or WordNet ids, where only one column of names and one of labels can be."""
    width = len(cells[0])
    header = len(cells) > 1 and not any(_is_label_cell(cell) or has_image_suffix(cell) for cell in cells[0])
    body = cells[header:]
    labels = [place for place in range(width) if all(_is_label_cell(row[place]) for row in body)]
    named = [place for place in range(width) if all(has_image_suffix(row[place]) for row in body)]
    if width == 2 and 1 in labels:
        return Layout(delimiter=delimiter, header=header)
    if len(named) == len(labels) == 1 and named != labels:
        return Layout(delimiter=delimiter, name=named[0], label=labels[0], width=width, header=header)
    return None


def _is_label_cell(cell: str) -> bool:
    try:
        return is_label(_label(cell))
    except ValueError:
        return True  # boxes: the line that has those of several classes is named when it is read


def _by_blanks(line: str) -> tuple[str, str]:
    name, label = split_last(line)
    if not label.isdigit() and not is_label(label) and (found := _SUFFIXED.fullmatch(line)):
        return found.group(1), found.group(2)
    return name, label


def _label(cell: str) -> str:
    """The cell, or the class of the boxes that Kaggle's `PredictionString` holds."""
    words = cell.split()
    if len(words) < 2 or not WORDNET.fullmatch(words[0]) or any(parse_index(word) is None for word in words[1:5]):
        return cell
    classes = {word for word in words if WORDNET.fullmatch(word)}
    if len(classes) > 1:
        raise ValueError(f"boxes of several classes ({', '.join(sorted(classes))}); one label per image is needed")
    return classes.pop()
