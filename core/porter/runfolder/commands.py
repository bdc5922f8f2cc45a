"""The command lines that make a run, or one stage of it, again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from porter.files.outward import is_command, shell_line
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.runfolder.option import Heading, Kind, Option
from porter.runfolder.option_table import OPTIONS, RUN_DIAGNOSIS

BEGINNING = ("run", "export")
"""Commands that begin a record; each further one goes on with the record's model."""
STAGES = ("export", "verify", "preprocess", "infer", "evaluate", "bench")


def commands_of(request: RunRequest, folder: Path) -> dict[str, str]:
    """The command of the whole run and of each stage, with every option that differs from its default."""
    commands = {name: _line(name, request, folder) for name in ("run", *STAGES)}
    for name, command in (("diagnose", RUN_DIAGNOSIS), ("report", "report")):
        again = (row for row in OPTIONS if row.each_time and command in row.commands)
        commands[name] = shell_line(["porter", *command.split(), str(folder), *_options(request, again)])
    return commands


def derived_commands(record: RunRecord, folder: Path) -> dict[str, str]:
    """The commands of a record, made from what it asked for: what it says of them may be a stranger's text.

    Only the folder's name is taken from there; `folder` where it has none.
    """
    said = record.commands.get("report", "")
    words = shlex.split(said) if is_command(said) else []
    place = Path(words[2]) if words[:2] == ["porter", "report"] and len(words) > 2 else folder
    if record.imported is None:
        return commands_of(record.request, place)
    again = ["porter", *record.imported.arguments, "--out", str(place)]
    return {"import": shell_line(again), "report": shell_line(["porter", "report", str(place)])}


def run_arguments(request: RunRequest) -> list[str]:
    """The arguments of `porter run` that give `request` again, without `--out`."""
    return [request.model, *_options(request, _rows("run"))]


def _line(command: str, request: RunRequest, folder: Path) -> str:
    model = [request.model] if command in BEGINNING else []
    return shell_line(["porter", command, *model, *_options(request, _rows(command)), "--out", str(folder)])


def _rows(command: str) -> Iterable[Option]:
    """The options of a command. Where the record has the model, only what it never keeps is said of it again."""
    known = command not in BEGINNING
    for row in OPTIONS:
        if command in row.commands and not (known and row.heading is Heading.MODEL and not row.each_time):
            yield row


def _options(request: RunRequest, rows: Iterable[Option]) -> list[str]:
    plain = RunRequest(model=request.model)
    arguments: list[str] = []
    for row in rows:
        value = getattr(request, row.field)
        if value != getattr(plain, row.field):
            arguments += option_words(row, value)
    return arguments


def option_words(row: Option, value: object) -> list[str]:
    """One option with its value; a tuple is the values of a repeated one, or of a list."""
    if row.repeated:
        return [part for text in value for part in (row.flag, text)]  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        return [row.flag, ",".join(map(str, value))]
    return [row.flag] if row.kind is Kind.YES else [row.flag, str(value)]
