"""Labels in JSON and JSON lines: pairs of name and label, however they are nested."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from porter.data.image_names import has_image_suffix
from porter.data.layouts import LABELS, NAMES

_WRAPPERS = frozenset({"labels", "annotations", "images", "data", "samples", "items", "classes", "mapping"})


class Pairs(list[tuple[str, Any]]):
    """A JSON object as its pairs, in order: a plain dict would keep only the last of two equal keys."""


def is_json(text: str) -> bool:
    """Whether a text begins as JSON does, and not as a line of names."""
    return re.match(r'\s*(?:\{\s*["}]|\[\s*[\[{"\d\]])', text) is not None


def parse(text: str) -> Any:
    """JSON, or one value a line; objects become `Pairs`. Raises `ValueError` or `RecursionError`."""
    try:
        return json.loads(text, object_pairs_hook=Pairs)
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if error.msg != "Extra data" or len(lines) < 2:
            raise
        return [json.loads(line, object_pairs_hook=Pairs) for line in lines]


def pairs_of(value: Any) -> Iterator[tuple[str, str]]:
    """Name and label of each image, the name empty where the file is a list of labels. Raises `ValueError`."""
    if isinstance(value, Pairs):
        yield from _of_object(value)
    elif isinstance(value, list):
        for number, entry in enumerate(value, 1):
            yield _of_entry(entry, number)
    else:
        raise ValueError('neither an object {"NAME": label} nor a list')


def _of_object(value: Pairs) -> Iterator[tuple[str, str]]:
    wrapped = [inner for key, inner in value if key in _WRAPPERS and isinstance(inner, list)]
    if len(wrapped) == 1 and not any(has_image_suffix(key) for key, _ in value):
        yield from pairs_of(wrapped[0])
        return
    for key, inner in value:
        if isinstance(inner, list) and not isinstance(inner, Pairs) and _are_names(inner):
            yield from ((name, key) for name in inner)  # {"CLASS": ["a.jpg", "b.jpg"]}
        elif isinstance(inner, Pairs):
            yield key, _scalar(_field(inner, LABELS, f"entry {key!r}", "label"), key)
        elif isinstance(inner, list) and len(inner) == 1:
            yield key, _scalar(inner[0], key)
        else:
            yield key, _scalar(inner, key)


def _are_names(values: Sequence[Any]) -> bool:
    return bool(values) and all(isinstance(one, str) and has_image_suffix(one) for one in values)


def _of_entry(entry: Any, number: int) -> tuple[str, str]:
    where = f"entry {number}"
    if isinstance(entry, Pairs):
        name = _field(entry, NAMES, where, "name")
        return _scalar(name, where), _scalar(_field(entry, LABELS, where, "label"), where)
    if isinstance(entry, list):
        if len(entry) != 2:
            raise ValueError(f"{where} has {len(entry)} values, not a name and a label")
        return _scalar(entry[0], where), _scalar(entry[1], where)
    return "", _scalar(entry, where)


def _field(entry: Pairs, words: Sequence[str], where: str, what: str) -> Any:
    known = {re.sub(r"[^a-z0-9]", "", key.casefold()): value for key, value in entry}
    for word in words:
        if word in known:
            return known[word]
    raise ValueError(f"{where} has no {what}; its keys are {', '.join(repr(key) for key, _ in entry[:5])}")


def _scalar(value: Any, where: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{where!s:.80}: neither a text nor a number where a label or name must be")
