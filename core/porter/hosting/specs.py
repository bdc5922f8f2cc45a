"""A spec that a plugin answered with, checked field by field before anything relies on it."""

from __future__ import annotations

import re

import msgspec

from porter.errors import one_line
from porter.records.spec import ModelSpec


class SpecFault(Exception):
    """A plugin's spec is wrong. The text is one line, and begins with the field."""


def checked_spec(spec: ModelSpec) -> ModelSpec:
    """The spec, with a tuple wherever the plugin gave a list. Raises `SpecFault` at the first field that is wrong."""
    plain = _typed(spec)
    for field in ("inputs", "outputs"):
        if not getattr(plain, field):
            raise SpecFault(f"{field}: empty; a model has at least one")
    names, classes = len(plain.class_names), plain.num_classes
    if names and classes is not None and names != classes:
        raise SpecFault(f"class_names: {names} names for num_classes {classes}")
    if plain.published is not None:
        try:
            re.compile(plain.published.image_pattern)
        except (re.error, RecursionError, OverflowError) as error:
            raise SpecFault(f"published.image_pattern: not a regular expression: {one_line(error)}") from None
    return spec if plain == spec or type(spec) is not ModelSpec else plain


def _typed(spec: ModelSpec) -> ModelSpec:
    """The spec as it comes back from a record: dataclasses do not check types, and a record is read with a check."""
    foreign: list[str] = []

    def stand_in(value: object) -> dict[str, str]:
        foreign.append(type(value).__name__)
        return {}

    try:
        return msgspec.convert(msgspec.to_builtins(spec, enc_hook=stand_in), ModelSpec)
    except (msgspec.ValidationError, TypeError) as error:
        text, _, place = one_line(error).partition(" - at `$.")
        if foreign:
            text = text.replace("`object`", f"`{foreign[0]}`")
        raise SpecFault(f"{place.rstrip('`') or 'spec'}: {text[0].lower()}{text[1:]}") from None
