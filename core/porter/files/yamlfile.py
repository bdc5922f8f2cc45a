"""Read one YAML file that anyone may have written: bounded, no code, every fault a single clear line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from porter.errors import BadInput, one_line

MAX_BYTES = 1 << 20
"""A config has a few kB."""
MAX_ALIASES = 32
"""Keeps what nested aliases and merge keys (`<<`) can expand to below some 10^5 entries."""


class Lined(dict[Any, Any]):
    """A mapping that knows on which line of the file each of its keys stands, counted from 1."""

    lines: dict[str, int]


class _Loader(yaml.SafeLoader):
    """`SafeLoader` that bounds aliases and refuses a key given twice, of which PyYAML keeps the last in silence."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MAX_ALIASES:
                raise yaml.MarkedYAMLError(problem=f"more than {MAX_ALIASES} aliases")
        return super().compose_node(parent, index)

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
        BadInput: the file is missing, no regular file, unreadable, empty, larger than `MAX_BYTES`, not UTF-8, not
            YAML, asks for a Python object, or holds anything but one mapping.
    """
    text = _read_text(path)
    try:
        value = yaml.load(text, Loader=_TextLoader if as_text else _Loader)
    except yaml.YAMLError as error:
        raise BadInput(f"{one_line(path)}: not a plain YAML file: {_reason(error)}") from None
    except RecursionError:
        raise BadInput(f"{one_line(path)}: nested too deep for a config") from None
    except (ValueError, OverflowError, TypeError) as error:  # a date or number that the constructor cannot make
        raise BadInput(f"{one_line(path)}: a value cannot be read: {one_line(error)}") from None
    if value is None:
        raise BadInput(f"{one_line(path)}: the file is empty; a config is needed")
    if not isinstance(value, dict):
        raise BadInput(f"{one_line(path)}: a mapping of keys is needed, found {type(value).__name__}")
    return value


def _read_text(path: Path) -> str:
    shown = one_line(path)
    try:
        if path.is_dir():
            raise BadInput(f"{shown}: a folder; give the yaml file itself")
        if not path.exists():
            raise BadInput(f"{shown}: no such file; give the path of a yaml config")
        if not path.is_file():
            raise BadInput(f"{shown}: not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(
                f"{shown}: larger than {MAX_BYTES} bytes, so not a config; was it swapped with another file?"
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(f"{shown}: cannot be read: {one_line(getattr(error, 'strerror', None) or error)}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _reason(error: yaml.YAMLError) -> str:
    """What is wrong and where, without the excerpt that PyYAML prints below it."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}: " if mark else ""
        return place + one_line(error.problem or error.context)
    return one_line(error)
