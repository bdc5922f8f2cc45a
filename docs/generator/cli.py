"""docs/reference/cli.md, from the commands themselves."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import ModuleType

import click

from generator import markdown as md
from generator.source import read_class
from porter import errors
from porter.cli import interrupts, main
from porter.cli.group import porter
from porter.cli.headed_help import HeadedCommand, under_headings

VERDICT_CODES = "0, 1, 2 or 3"
OTHER_CODES = "0, 2 or 3"
DEFAULT = re.compile(r" \[default: (.*?)\]")
"""A default as a help names it; the page has a column for it."""


def page() -> str:
    """The page."""
    group = porter
    return md.page(
        "Command line",
        _help(group),
        "Progress and notes go to stderr, results to stdout. An error is one line on stderr.",
        "## Exit codes",
        md.table(["code", "meaning"], _exit_codes()),
        *(_section(context) for context in _commands(click.Context(group, info_name="porter"))),
    )


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Every command below a group, those of subgroups included, in the order of the help."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(inner)
        else:
            yield inner


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    options = [p for p in command.params if isinstance(p, click.Option)]
    parts = [f"## `{context.command_path}`", md.block("text", usage), _help(command)]
    if isinstance(command, HeadedCommand):
        parts += [f"**{name}**\n\n{_table(under)}" for name, under in under_headings(options).items()]
    elif options:
        parts.append(_table(options))
    return "\n\n".join([*parts, f"Exit codes: {_codes(command)}."])


def _table(options: list[click.Option]) -> str:
    rows = [[_names(o), _value(o), _default(o), DEFAULT.sub("", o.help or "")] for o in options]
    return md.table(["option", "value", "default", "meaning"], rows)


def _help(command: click.Command) -> str:
    r"""The help text; a paragraph that click must not wrap (it begins with \b) becomes a code block."""
    text = inspect.cleandoc(command.help or "")
    paragraphs = []
    for paragraph in text.split("\n\n"):
        literal = paragraph.startswith("\b")
        paragraphs.append(md.block("text", paragraph.lstrip("\b\n")) if literal else paragraph)
    return "\n\n".join(paragraphs)


def _names(option: click.Option) -> str:
    return ", ".join(map(md.code, (*option.opts, *option.secondary_opts)))


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return ", ".join(md.code(str(choice)) for choice in option.type.choices)
    least = getattr(option.type, "min", None)
    bound = f", at least {least}" if least is not None else ""
    repeated = ", may be repeated" if option.multiple else ""
    return md.code(option.metavar or option.type.name.upper()) + bound + repeated


def _default(option: click.Option) -> str:
    """The option's own default, or the one that its help names; empty where there is none."""
    named = DEFAULT.search(option.help or "")
    if named is not None:
        return named[1]
    value = option.to_info_dict()["default"]
    return "" if option.is_flag or value in (None, ()) else md.code(str(value))


def _codes(command: click.Command) -> str:
    """A command that answers with a number gives the verdicts' exit code; any other only succeeds or fails."""
    returns = inspect.unwrap(command.callback).__annotations__.get("return") if command.callback else None
    return VERDICT_CODES if returns in ("int", int) else OTHER_CODES


def _exit_codes() -> list[list[str]]:
    codes = read_class(errors.ExitCode)
    rows = [[field.default, field.doc] for field in codes.fields]
    for module, name in ((main, "INTERNAL_ERROR"), (interrupts, "INTERRUPTED")):
        rows.append([str(getattr(module, name)), _documented(module)[name]])
    return rows


def _documented(module: ModuleType) -> dict[str, str]:
    """The string below each assignment of a module."""
    tree = ast.parse(inspect.getsource(module))
    return {
        statement.targets[0].id: str(following.value.value)
        for statement, following in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
