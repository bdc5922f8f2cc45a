"""Read one YAML file that anyone may have written: bounded, no code, every fault a single clear line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from porter.errors import BadInput, one_line
from porter.files.limits import COUNTS, over_count
from porter.files.received import read_received

ALIASES, LEVELS, VALUES, DIGITS = (
    "aliases in a config",  # what nested ones and merge keys (`<<`) can expand to stays below some 10^5 entries
    "levels of a config",
    "values in a config",
    "digits of a number in a config",  # `1:1:1:…` is one to YAML, and takes the square of its length
)


class Lined(dict[Any, Any]):
    """A mapping that knows on which line of the file each of its keys stands, counted from 1."""

    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """`SafeLoader` within limits that refuses a key given twice, of which PyYAML keeps the last in silence."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.counts: Counter[str] = Counter()

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._count(ALIASES if self.check_event(yaml.AliasEvent) else VALUES)
        self._count(LEVELS)
        node = super().compose_node(parent, index)
        self.counts[LEVELS] -= 1
        return node

    def _count(self, what: str) -> None:
        self.counts[what] += 1
        if self.counts[what] > COUNTS[what]:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem=f"too much in it; {over_count(what)}", problem_mark=mark)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        if len(node.value) > COUNTS[DIGITS]:
            raise yaml.MarkedYAMLError(problem=f"too long; {over_count(DIGITS)}", problem_mark=node.start_mark)
        make = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        return make(node)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"key {key.value!r} is given twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return node

    def construct_lined(self, node: yaml.MappingNode) -> Iterator[Lined]:
        """The mapping, empty first: it may hold itself."""
        found = Lined()
        found.lines = {key.value: key.start_mark.line + 1 for key, _ in node.value if isinstance(key, yaml.ScalarNode)}
        yield found
        found.update(self.construct_mapping(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.construct_lined)
for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.construct_number)


class _TextLoader(_Loader):
    """Leaves every plain scalar as it is written, except an empty one and `null`."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile("^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_TextLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile("^<<$"), ["<"])


def read_yaml(path: Path, *, as_text: bool = False) -> dict[str, Any]:
    """The mapping that the YAML file at `path` holds, made of plain Python values. `from_yaml` gives it types.

    With `as_text` plain scalars stay text: YAML 1.1 would read the hash `12e45` as a number, `010` as eight and the
    name `no` as false. `porter.files.yamltyped` turns text into numbers where a number is due.

    Raises:
        BadInput: the file is missing, no regular file, unreadable, empty, not UTF-8, beyond a limit of
            `porter.files.limits`, not YAML, asks for a Python object, or holds anything but one mapping.
    """
    text = _read_text(path)
    try:
        value = yaml.load(text, Loader=_TextLoader if as_text else _Loader)
    except yaml.YAMLError as error:
        raise BadInput(f"{one_line(path)}: not a plain YAML file: {_reason(error)}") from None
    except (ValueError, OverflowError, TypeError) as error:  # a date or number that the constructor cannot make
        raise BadInput(f"{one_line(path)}: a value cannot be read: {one_line(error)}") from None
    if value is None:
        raise BadInput(f"{one_line(path)}: the file is empty; a config is needed")
    if not isinstance(value, dict):
        raise BadInput(f"{one_line(path)}: expected a mapping of keys, found {type(value).__name__}")
    return value


def _read_text(path: Path) -> str:
    try:
        return read_received(path, "config").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{one_line(path)}: not UTF-8 text (byte {error.start}). Save it as UTF-8") from None


def _reason(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the excerpt that PyYAML prints below it."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        return place + one_line(error.problem or error.context)
    return one_line(error)
