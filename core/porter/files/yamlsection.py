"""Typed access to a mapping from a YAML file; every fault is one line with the file and the path of the key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from porter.errors import BadInput, did_you_mean, one_line

T = TypeVar("T")

MOST = 1_000_000_000
"""Largest number that is taken where a caller names no bound."""
MOST_VALUES = 16
"""Longest list of numbers."""
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")


class Section:
    """A mapping of the file, with its place in it for error messages.

    Values may be typed or text, as `porter.files.yamlfile.read_yaml` gives them: a number is taken out of text (`1e-4`
    is text to YAML), and a list out of a tuple's text (`(4, 4)`). A key without a value is an error. Where a method
    has a `default`, None means that the key must be there.
    """

    def __init__(self, values: Mapping[str, Any], where: str, path: str = "", absent: str = "missing") -> None:
        """`where` names the file, `path` leads to this mapping; `absent` is what an error says of a missing key."""
        self.values, self.where, self.path, self.absent = values, where, path, absent

    def error(self, key: str, problem: str) -> BadInput:
        """The error to raise for `key`; an empty key stands for the section itself."""
        place = ".".join(part for part in (self.path, key) if part)
        return BadInput(": ".join(part for part in (self.where, place, problem) if part))

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise `BadInput` for the first key that is not known, with the nearest that is."""
        names = tuple(known)
        for key in self.values:
            if key not in names:
                name = shorten(one_line(key))
                near = did_you_mean(name, names) or f"; known: {', '.join(names)}"
                raise self.error(name, f"unknown key{near}")

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.values

    def required(self, key: str) -> Any:
        """The value as it is."""
        if not self.has(key):
            near = did_you_mean(key, [one_line(k) for k in self.values if k != key])
            raise self.error(key, f"{self.absent}{near}")
        if self.values[key] is None:
            raise self.error(key, "has no value; give one, or leave the key out where it is optional")
        return self.values[key]

    def section(self, key: str, *, optional: bool = False) -> Section:
        """The mapping under `key`; where it is absent and `optional`, an empty one."""
        value = {} if optional and not self.has(key) else self.required(key)
        if not isinstance(value, dict):
            raise self.error(key, f"a mapping is needed, found {shown(value)}")
        return Section(value, self.where, f"{self.path}.{key}" if self.path else key, self.absent)

    def text(self, key: str, default: str | None = None) -> str:
        """Text. What YAML took for something else is refused: the spelling is lost (`010` became 8)."""
        value = self._or_default(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"text is needed, found {shown(value)}; put it in quotes")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.required(key)
        if not isinstance(value, list | tuple):
            raise self.error(key, f"a list is needed, found {shown(value)}")
        for index, one in enumerate(value):
            if not isinstance(one, str):
                raise self.error(f"{key}[{index}]", f"text is needed, found {shown(one)}; put it in quotes")
        return tuple(value)

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of a few words, as they are spelled."""
        value = self._or_default(key, default)
        if value not in allowed:
            near = did_you_mean(value, allowed) if isinstance(value, str) else ""
            raise self.error(key, f"{shown(value)} is not supported, it may be {' or '.join(allowed)}{near}")
        return str(value)

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """True or false, by YAML's words for them."""
        value = self._or_default(key, default)
        word = value.lower() if isinstance(value, str) else value
        if word is True or word in TRUE:
            return True
        if word is False or word in FALSE:
            return False
        raise self.error(key, f"true or false is needed, found {shown(value)}")

    def integer(self, key: str, *, least: int = 1, most: int = MOST, default: int | None = None) -> int:
        """A whole number in least..most; `2.24e2` is one."""
        return self._integer(key, self._or_default(key, default), least, most)

    def integers(
        self, key: str, *, least: int = 1, most: int = MOST, default: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """A list of whole numbers, or a single one."""
        return self._list(key, default, lambda place, value: self._integer(place, value, least, most))

    def number(self, key: str, *, least: float = -MOST, most: float = MOST, default: float | None = None) -> float:
        """A finite number in least..most."""
        return self._number(key, self._or_default(key, default), least, most)

    def numbers(
        self, key: str, *, least: float = -MOST, most: float = MOST, default: tuple[float, ...] | None = None
    ) -> tuple[float, ...]:
        """A list of finite numbers, or a single one."""
        return self._list(key, default, lambda place, value: self._number(place, value, least, most))

    def _or_default(self, key: str, default: object) -> Any:
        return default if default is not None and not self.has(key) else self.required(key)

    def _list(self, key: str, default: tuple[T, ...] | None, read: Callable[[str, Any], T]) -> tuple[T, ...]:
        if default is not None and not self.has(key):
            return default
        value = self.required(key)
        if isinstance(value, str):
            value = value.strip().strip("()[]").removesuffix(",").split(",")
        if not isinstance(value, list | tuple):
            return (read(key, value),)
        if not 1 <= len(value) <= MOST_VALUES:
            raise self.error(key, f"{len(value)} values, 1 to {MOST_VALUES} are taken")
        return tuple(read(f"{key}[{i}]" if len(value) > 1 else key, one) for i, one in enumerate(value))

    def _integer(self, key: str, value: object, least: int, most: int) -> int:
        found = self._number(key, value, least, most, "a whole number")
        if found != int(found):
            raise self.error(key, f"a whole number is needed, found {shown(value)}")
        return int(found)

    def _number(self, key: str, value: object, least: float, most: float, kind: str = "a number") -> float:
        found = value
        if isinstance(value, str):
            try:
                found = float(value)
            except ValueError:
                raise self.error(key, f"{kind} is needed, found {shown(value)}") from None
        if isinstance(found, bool) or not isinstance(found, int | float) or found != found:  # nan is no number
            raise self.error(key, f"{kind} is needed, found {shown(value)}")
        if not least <= found <= most:
            raise self.error(key, f"{shown(value)} is not within {least}..{most}")
        return float(found)


def shown(value: object) -> str:
    """`value` for an error message: short, and safe for values whose text would be endless."""
    if isinstance(value, dict | list | tuple | set):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "nothing"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    return shorten(one_line(repr(value)))


def shorten(text: str) -> str:
    """`text`, cut at 60 characters."""
    return text if len(text) <= 60 else text[:57] + "..."
