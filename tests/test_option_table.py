"""One table of options: each field once, and a command line written from it is one that porter reads back."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click
import pytest

from porter.cli.group import COMMANDS, porter
from porter.cli.headed_help import ADVANCED, HeadedCommand
from porter.cli.options import request_from
from porter.records.record import RunRecord
from porter.records.request import RunRequest
from porter.runfolder.commands import commands_of, run_arguments
from porter.runfolder.option import Heading, Kind
from porter.runfolder.option_table import HOW, OPTIONS
from porter.runfolder.record_file import write_record
from porter.runfolder.sections import MADE_FROM, NEEDS, stale_between

WITHOUT_HEADINGS = 8
"""Options of a help that needs no headings."""
VALUES: dict[Kind, Any] = {
    Kind.TEXT: "it's one",
    Kind.YES: True,
    Kind.INTEGER: 12,
    Kind.COUNT: 3,
    Kind.AMOUNT: 0.25,
    Kind.CHOICE: "random",
    Kind.BATCH_SIZES: (2, 5),
    Kind.LANGUAGES: ("zh",),
}


def commands(context: click.Context) -> list[click.Context]:
    """Every command below a group, those of subgroups included."""
    group = context.command
    assert isinstance(group, click.Group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        found += commands(inner) if isinstance(command, click.Group) else [inner]
    return found


ALL = {context.command_path: context for context in commands(click.Context(porter, info_name="porter"))}


def everything_else() -> RunRequest:
    """With every option away from its default."""
    values = {row.field: (VALUES[row.kind],) if row.repeated else VALUES[row.kind] for row in OPTIONS}
    return RunRequest(**(values | {"model": "tiny", "plugin_files": ("mine.py", "yours.py")}))


def read_back(line: list[str], out: Path) -> RunRequest:
    """The request that a command line asks for."""
    name, *arguments = line
    command = porter.get_command(click.Context(porter), name)
    assert command is not None
    with command.make_context(name, arguments) as context:
        given = {key: value for key, value in context.params.items() if key in {row.field for row in OPTIONS}}
        return request_from(given.pop("model", None), out, given, fresh=False)


def test_every_field_of_a_request_has_one_row() -> None:
    assert Counter(row.field for row in OPTIONS) == Counter(field.name for field in fields(RunRequest))


def test_no_flag_stands_twice_and_every_name_is_known() -> None:
    rows = (*OPTIONS, *HOW)
    flags = Counter(flag for row in rows for flag in (row.flags or (row.flag,)))
    assert [flag for flag, count in flags.items() if count > 1] == []
    assert {section for row in OPTIONS for section in row.makes} <= set(NEEDS)
    assert {name.split()[0] for row in rows for name in row.commands} <= set(COMMANDS)
    assert set(MADE_FROM) == set(NEEDS)


def test_what_is_given_each_time_makes_nothing_stale() -> None:
    plain = RunRequest(model="tiny")
    each_time = {row.field for row in OPTIONS if row.each_time}
    assert each_time == {"trust_checkpoint", "plugin_files"}
    other = replace(plain, trust_checkpoint=True, plugin_files=("mine.py",))
    assert stale_between(plain, other) == ()
    asked = replace(everything_else(), model="other")
    for row in OPTIONS:
        changed: dict[str, Any] = {row.field: getattr(asked, row.field)}
        assert set(row.makes) <= set(stale_between(plain, replace(plain, **changed)))


def test_a_run_that_is_written_is_read_back_as_it_was(tmp_path: Path) -> None:
    asked = everything_else()
    assert read_back(["run", *run_arguments(asked)], tmp_path) == asked


@pytest.mark.parametrize("stage", ["export", "verify", "preprocess", "infer", "evaluate", "bench"])
def test_a_stage_that_is_written_goes_on_with_what_was_asked(tmp_path: Path, stage: str) -> None:
    """From the record, with nothing of it changed: a checkpoint that was named again would forget its digests."""
    asked = everything_else()
    write_record(tmp_path, RunRecord(porter="0", created="", command="", request=asked))
    _, *line = shlex.split(commands_of(asked, tmp_path)[stage])
    trusted = "trust_checkpoint" in {row.field for row in OPTIONS if stage in row.commands}
    assert read_back(line, tmp_path) == replace(asked, trust_checkpoint=trusted)


@pytest.mark.parametrize("path", sorted(ALL))
def test_a_long_help_has_headings_and_every_option_its_own_words(path: str) -> None:
    command = ALL[path].command
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    headings = [f"\n{name}:\n" for name in (*Heading, ADVANCED)]
    text = command.get_help(ALL[path])
    places = [text.find(heading) for heading in headings if heading in text]
    assert places == sorted(places), "in order, the rarely needed last"
    if len(options) > WITHOUT_HEADINGS:
        assert isinstance(command, HeadedCommand) and len(places) > 1
    assert [option.name for option in options if not option.help] == []


def test_the_help_of_an_option_stands_alone() -> None:
    for row in (*OPTIONS, *HOW):
        assert row.help[0].isupper() and row.help[-1] != "." and "\n" not in row.help, row.field
        assert not {"it", "them", "here", "its"}.intersection(row.help.split()), row.field


def test_the_line_of_each_command_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = porter.get_help(click.Context(porter, info_name="porter"))
    listed = text.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(len(line) <= 80 for line in listed) and "…" not in text and "..." not in text.partition("Commands:")[2]
