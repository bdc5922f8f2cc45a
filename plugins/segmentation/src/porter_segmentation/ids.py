"""What the values of a mask stand for: class indices as they are, less an offset, or by a map of ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from porter import BadInput, ModelSpec, did_you_mean, one_line, read_lines, read_yaml

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IGNORED = -1
UNKNOWN = -2
IGNORE_LABEL = 255
"""Not counted where no map says otherwise, as in Pascal VOC and in Cityscapes' trainIds."""
IDS = 65536
"""Values that a mask of 16 bits can hold."""
IGNORE_WORDS = ("ignore", "255", "-1")
OTHER = "other"
"""The key of a map that stands for all ids that it does not list."""
MAPS = {path.stem: path for path in sorted((Path(__file__).parent / "maps").glob("*.csv"))}
"""The maps that ship, by the name that `--class-map` takes."""


@dataclass(frozen=True, eq=False)
class Ids:
    """The class of each value of a mask."""

    classes: NDArray[np.int32]
    """By value, 65536 of them; `IGNORED`: not counted, `UNKNOWN`: not allowed."""
    words: str
    """What is allowed, for messages."""


def ids_of(spec: ModelSpec, class_map: Path | None, offset: int) -> Ids:
    """The meaning of a mask's values for a model. Raises `BadInput` where the map is wrong, naming file and id."""
    import numpy as np

    count = spec.num_classes or 0
    if class_map is not None:
        if offset:
            raise BadInput("--label-offset and --class-map: the map says the class of every id. Use one of the two")
        return _by_map(class_map, spec)
    classes = np.full(IDS, UNKNOWN, np.int32)
    wanted = np.arange(IDS) - offset
    valid = (wanted >= 0) & (wanted < count)
    classes[valid] = wanted[valid]
    classes[wanted < 0] = IGNORED
    words = f"the model has classes 0 to {count - 1}"
    if offset > 0:
        words += f", {offset} less than the ids, and lower ids are ignored"
    if classes[IGNORE_LABEL] == UNKNOWN:
        classes[IGNORE_LABEL] = IGNORED
        words += f", and {IGNORE_LABEL} is ignored" if offset <= 0 else f", like {IGNORE_LABEL}"
    return Ids(classes, words)


def _by_map(path: Path, spec: ModelSpec) -> Ids:
    import numpy as np

    count, shown = spec.num_classes or 0, one_line(path)
    known = {name.casefold(): index for index, name in enumerate(spec.class_names)}
    classes = np.full(IDS, UNKNOWN, np.int32)
    listed = set[int]()
    for place, key, value in _entries(path):
        index = _class_of(value, known, count)
        if index is None:
            hint = did_you_mean(value, spec.class_names)
            raise BadInput(f"{place}: {value!r} is no class (0 to {count - 1}, its name, or 'ignore'){hint}")
        if key == OTHER:
            classes[classes == UNKNOWN] = index
            continue
        if not (key.isascii() and key.isdecimal() and int(key) < IDS):
            raise BadInput(f"{place}: {key!r} is no value of a mask, 0 to {IDS - 1}, and not {OTHER!r}")
        if int(key) in listed:
            raise BadInput(f"{place}: id {key} is there twice")
        listed.add(int(key))
        classes[int(key)] = index
    if not (classes >= 0).any():
        raise BadInput(f"{shown}: no id has a class; lines `ID,CLASS`, or a mapping ID: CLASS, say it")
    return Ids(classes, f"{shown} has no such id. Add a line for it, or `{OTHER},ignore`")


def _class_of(value: str, known: Mapping[str, int], count: int) -> int | None:
    if value.casefold() in IGNORE_WORDS and not (value == "255" and count > IGNORE_LABEL):
        return IGNORED
    if value.isascii() and value.isdecimal():
        return int(value) if int(value) < count else None
    return known.get(value.casefold())


def _entries(path: Path) -> Iterator[tuple[str, str, str]]:
    """The place in the file, the id and the class of each entry."""
    if path.suffix.lower() in (".yaml", ".yml", ".json"):
        for key, value in read_yaml(path, as_text=True).items():
            yield one_line(path), str(key).strip(), _text(value, path, key)
        return
    for number, line in read_lines(path, "class map"):
        fields: Sequence[str] = [part.strip() for part in line.replace(";", ",").replace("\t", ",").split(",")]
        if len(fields) < 2:
            raise BadInput(f"{one_line(path)}, line {number}: {one_line(line)[:80]!r} is not `ID,CLASS`")
        if fields[0].isalpha() and fields[0].casefold() != OTHER:  # the headings
            continue
        yield f"{one_line(path)}, line {number}", fields[0].casefold(), fields[1]


def _text(value: object, path: Path, key: object) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{one_line(path)}: {key}: a class, by index or name, or 'ignore', is due here")
    return value.strip()
