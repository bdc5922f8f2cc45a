"""Options as Python has them, in the words of the command line: one table says what there is, one parser reads it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from porter.errors import BadInput, did_you_mean, one_line
from porter.runfolder.commands import option_words
from porter.runfolder.option import Kind, Option
from porter.runfolder.option_table import taken_by


def words_of(command: str, options: Mapping[str, Any]) -> list[str]:
    """The arguments of a command. Raises `BadInput` for an option that it does not take."""
    known = {name: row for row in taken_by(command) for name in _names(row)}
    words = []
    for name, value in options.items():
        if name not in known:
            raise BadInput(f"porter {command} has no option {one_line(name)!r}{did_you_mean(name, known)}")
        if value is not None:
            words += _words(name, known[name], value)
    return words


def _names(row: Option) -> Iterable[str]:
    """Its field, and its flags."""
    return (row.field, *(flag.removeprefix("--").replace("-", "_") for flag in row.flags))


def _words(name: str, row: Option, value: Any) -> list[str]:
    if row.kind is Kind.YES:
        if not isinstance(value, bool):
            raise BadInput(f"{name}: {one_line(value)!r}; it is True or False")
        return option_words(row, value) if value else []
    if isinstance(value, Mapping):
        value = tuple(f"{key}={amount}" for key, amount in value.items())
    listed = isinstance(value, Iterable) and not isinstance(value, str | bytes | os.PathLike)
    if listed or row.repeated:
        value = tuple(map(_text, value)) if listed else (_text(value),)
    return option_words(row, value if isinstance(value, tuple) else _text(value))


def _text(value: Any) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
