"""The options of a run on the command line, and how those that were given meet those in the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from porter.cli.option_types import BatchSizes, FiniteFloat, Languages, Resources
from porter.cli.plugin_files import given_plugins, remember
from porter.errors import BadInput, one_line
from porter.records.request import RunRequest
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.option import Kind, Option
from porter.runfolder.option_table import OPTIONS, taken_by
from porter.runfolder.record_file import read_record

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

TYPES: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.COUNT: click.IntRange(min=1),
    Kind.AMOUNT: FiniteFloat(min=0),
    Kind.BATCH_SIZES: BatchSizes(),
    Kind.LANGUAGES: Languages(),
    Kind.RESOURCES: Resources(),
}
"""Kind of value: click's type. The other kinds need their row."""

OF_CHECKPOINT = ("checkpoint_sha256", "checkpoint_md5", "weights")
"""What was said of one checkpoint is not said of the next that is given."""
OF_DATA = ("labels", "class_map", "label_offset", "limit")
"""The same for a folder of images."""


def options(*commands: str) -> Decorator:
    """The options that these commands take, in the order of the table."""
    rows = dict.fromkeys(row for command in commands for row in taken_by(command))

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for row in reversed(rows):
            function = option_of(row)(function)
        return function

    return decorate


def option_of(row: Option) -> Decorator:
    """One row of the table as click has it. The files of plugins go to the command's context, see `plugin_files`."""
    settings: dict[str, Any] = {"help": help_of(row), "multiple": row.repeated}
    if row.kind is Kind.YES:
        settings |= {"is_flag": True, "default": None}
    else:
        settings["type"] = click.Choice(row.choices) if row.choices else TYPES[row.kind]
        settings |= {"metavar": row.metavar} if row.metavar else {}
    if row.field == "plugin_files":
        settings |= {"expose_value": False, "callback": remember}
    return click.option(*(row.flags or (row.flag,)), row.field, **settings)


def help_of(row: Option) -> str:
    """Its help, which ends with the default."""
    return f"{row.help} [default: {row.shown_default}]." if row.shown_default else f"{row.help}."


def request_from(model: str | None, out: Path, given: Mapping[str, Any], *, fresh: bool) -> RunRequest:
    """What was asked for: the record's request in `out`, where there is one, changed by the options given.

    Raises `BadInput` where neither a model nor a record says what to work on, and where the record was made with the
    file of a plugin that is not given again.
    """
    known = None if fresh or not (out / RECORD_NAME).exists() else read_record(out).request
    if model is None and known is None:
        raise BadInput(f"{out / RECORD_NAME}: no run found. Name a MODEL, or run `porter export` first")
    plugins = given_plugins()
    if known is not None and model in (None, known.model):
        base = known
        require_plugins(known, plugins, out)
    else:
        base = RunRequest(model=str(model))
    changes = {name: value for name, value in given.items() if value is not None and value != ()}
    plain = RunRequest(model=base.model)
    for file, said_of_it in (("checkpoint", OF_CHECKPOINT), ("data", OF_DATA)):
        if file in changes:
            changes = {name: getattr(plain, name) for name in said_of_it} | changes
    each_time = {row.field: getattr(plain, row.field) for row in OPTIONS if row.each_time}
    return replace(base, **(each_time | {"plugin_files": plugins} | changes))


def require_plugins(known: RunRequest, plugins: tuple[str, ...], out: Path) -> None:
    """Raise `BadInput` where a record was made with the file of a plugin, and no file is given now."""
    if known.plugin_files and not plugins:
        again = " ".join(f"--plugin {one_line(path)}" for path in known.plugin_files)
        raise BadInput(f"{one_line(out / RECORD_NAME)}: made with a plugin from a file. Use {again} again")
