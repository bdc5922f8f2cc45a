"""A mapping from a YAML file as a `msgspec.Struct`; every fault is one line with the file, the line and the key's path.

msgspec converts and says where it stopped. Here stands what it does not know: how numbers and tuples are spelled in
YAML, on which line a key is, and words for a reader.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain, repeat
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from porter.errors import BadInput, did_you_mean, one_line
from porter.files.yamlfile import Lined

T = TypeVar("T")

WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a mapping",
}
"""What msgspec calls a type."""
FIELDED = (inspect.StructType, inspect.DataclassType)
"""Types whose keys are known."""
TRUE, FALSE = ("true", "yes", "on"), ("false", "no", "off")
Places = dict[str, tuple[Any, inspect.Type]]
"""Path as msgspec writes it: the value as the file has it, and what it is to be."""


def from_yaml(document: Mapping[str, Any], kind: type[T], where: str, absent: str = "missing") -> T:
    """The `msgspec.Struct` of type `kind` that a document of `read_yaml` describes.

    Values may be typed or text: a number is taken out of text (`1e-4` is text to YAML), a list out of a tuple's text
    (`(4, 4)`) or of a single value. A key without a value is a fault. Unknown keys are passed over, unless the struct
    has `forbid_unknown_fields` or is a dataclass. `where` names the file; `absent` is what is said of a missing key.

    Raises:
        BadInput: one line with the file, the line, the path of the key, and what is wrong with its value.
    """
    places: Places = {}
    try:
        spelled = _spelled(document, inspect.type_info(kind), "$", places)
        return msgspec.convert(spelled, kind)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        path = path.rstrip("`") or "$"
        value, wanted = places.get(path, (None, inspect.AnyType()))
        if found := re.match(r"Object (?:missing required|contains unknown) field `(.*)`$", text, re.DOTALL):
            path = f"{path}.{found[1]}"
            problem = _missing(found[1], value, absent) if "missing" in text else _unknown(found[1], wanted)
        else:
            problem = _problem(text, value, wanted)
            path = path.removesuffix("[0]") if path.endswith("[0]") and _alone(path, places) else path
        raise yaml_fault(document, where, path.removeprefix("$").removeprefix("."), problem) from None


def yaml_fault(document: Mapping[str, Any], where: str, path: str, problem: str) -> BadInput:
    """The error to raise for the key at `path`, such as `MODEL.IMAGE_SIZE`; empty: the document itself."""
    line, here = 0, document
    for key in re.sub(r"\[\d+\]$", "", path).split("."):
        if not isinstance(here, Mapping) or key not in here:
            break
        line = here.lines.get(key, line) if isinstance(here, Lined) else line
        here = here[key]
    place = f"{where}, line {line}" if line else where
    return BadInput(": ".join(part for part in (place, shorten(one_line(path)), problem) if part))


def _spelled(value: Any, wanted: inspect.Type, path: str, places: Places) -> Any:
    """`value` with its texts as the types that are wanted. What is no such text stays, for msgspec to refuse."""
    if isinstance(wanted, inspect.UnionType):
        kinds = [one for one in wanted.types if not isinstance(one, inspect.NoneType)]
        listed = isinstance(value, list | tuple)
        wanted = next((one for one in kinds if isinstance(one, inspect.VarTupleType) is listed), kinds[0])
    places[path] = value, wanted
    if value is None and not isinstance(wanted, inspect.AnyType):
        return ...  # an optional field would take None, which is a key without a value
    if isinstance(wanted, FIELDED) and isinstance(value, Mapping):
        known = {field.encode_name: field.type for field in wanted.fields}
        unknown = next((key for key in value if key not in known), None)
        if unknown is not None and isinstance(wanted, inspect.DataclassType):  # msgspec passes them over
            raise msgspec.ValidationError(f"Object contains unknown field `{unknown}` - at `{path}`")
        return {
            key: _spelled(one, known[key], f"{path}.{key}", places) if key in known else one
            for key, one in value.items()
        }
    if isinstance(wanted, inspect.DictType) and isinstance(value, Mapping):
        return {key: _entry(one, wanted.value_type, f"{path}.{key}", places) for key, one in value.items()}
    if isinstance(wanted, inspect.VarTupleType | inspect.TupleType) and not isinstance(value, Mapping):
        each = wanted.item_types if isinstance(wanted, inspect.TupleType) else (wanted.item_type,)
        if isinstance(value, str) and not isinstance(each[0], inspect.StrType):
            value = value.strip().strip("()[]").removesuffix(",").split(",")
        items = value if isinstance(value, list | tuple) else [value]
        of_places = zip(items[:1000], chain(each, repeat(each[-1])), strict=False)
        return [_spelled(one, kind, f"{path}[{place}]", places) for place, (one, kind) in enumerate(of_places)]
    if isinstance(wanted, inspect.BoolType) and isinstance(value, str):
        return True if value.lower() in TRUE else False if value.lower() in FALSE else value
    if isinstance(wanted, inspect.IntType | inspect.FloatType) and not isinstance(value, bool):
        return _number(value, isinstance(wanted, inspect.IntType))
    return value


def _entry(value: Any, wanted: inspect.Type, path: str, places: Places) -> Any:
    """An entry of a mapping with keys of its own, converted at once: later msgspec would not say which one is wrong."""
    spelled = _spelled(value, wanted, path, places)
    kind = wanted.cls if isinstance(wanted, FIELDED) else str if isinstance(wanted, inspect.StrType) else Any
    try:
        return msgspec.convert(spelled, kind)
    except msgspec.ValidationError as error:
        text, _, below = str(error).partition(" - at `$")
        raise msgspec.ValidationError(f"{text} - at `{path}{below or '`'}") from None


def _number(value: Any, whole: bool) -> Any:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return value
    if found != found:  # nan is no number
        return str(value)
    return int(value if isinstance(value, int) else found) if whole and found.is_integer() else found


def _problem(text: str, value: Any, wanted: inspect.Type) -> str:
    """What is wrong with a value, where msgspec says `text` of it."""
    if value is None:
        return "has no value. Set one, or omit the key if it is optional"
    if isinstance(wanted, inspect.LiteralType):
        words = tuple(map(str, wanted.values))
        near = did_you_mean(value, words) if isinstance(value, str) else ""
        return f"{shown(value)} is not supported, expected {' or '.join(words)}{near}"
    if found := re.match(r"Expected `array` of length (\d+), got (\d+)", text):
        return f"{found[2]} values, expected {found[1]}"
    if found := re.match(r"Expected `([a-z |]+)`, got ", text):
        names = [WORDS.get(name, name) for name in found[1].split(" | ") if name != "null"]
        quotes = ". Put it in quotes" if names == ["text"] and not isinstance(value, list | Mapping) else ""
        return f"{' or '.join(names)} is needed, found {shown(value)}{quotes}"
    if isinstance(wanted, inspect.VarTupleType):
        return f"{len(value)} values, expected {wanted.min_length} to {wanted.max_length}"
    if isinstance(wanted, inspect.IntType | inspect.FloatType):
        return f"{shown(value)} is not within {wanted.ge}..{wanted.le}"
    return f"{shown(value)}: {text}"


def _missing(key: str, values: Any, absent: str) -> str:
    return absent + did_you_mean(key, [one_line(other) for other in values if other != key])


def _unknown(key: str, wanted: inspect.Type) -> str:
    names = [field.encode_name for field in wanted.fields] if isinstance(wanted, FIELDED) else []
    return "unknown key" + (did_you_mean(one_line(key), names) or f"; known: {', '.join(names)}")


def _alone(path: str, places: Places) -> bool:
    return path.removesuffix("[0]") + "[1]" not in places


def shown(value: object) -> str:
    """`value` for an error message: short, and safe for values whose text would be endless."""
    if isinstance(value, dict | list | tuple | set):
        return "a mapping" if isinstance(value, dict) else "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a number of more than 60 digits"
    return shorten(one_line("nothing" if value is None else repr(value)))


def shorten(text: str) -> str:
    """`text`, cut at 60 characters."""
    return text if len(text) <= 60 else text[:57] + "..."
