"""`porter env`: the environments that porter made for runtimes of another interpreter."""

from __future__ import annotations

import click

from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.cli.table import show_table
from porter.errors import BadInput, did_you_mean, one_line
from porter.files.outward import say, say_json
from porter.records.environment_report import EnvironmentReport, RuntimeEnvironment
from porter.worker.environments import environments_folder, remove
from porter.worker.inventory import inventory

COLUMNS = ("name", "runtime", "state", "python", "packages", "bytes", "path")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def env() -> None:
    """Show or remove the environments of runtimes that need another interpreter or other packages.

    An environment is created when its runtime is first used, in PORTER_CACHE_HOME or the user's cache folder.
    """


@env.command("list")
@options("env")
@_json
def list_(as_json: bool) -> None:
    """Show all environments: needed by plugins (created or not), and no longer needed."""
    _show(_environments(), (), as_json)


@env.command("remove")
@options("env")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Remove all environments.")
@_json
def remove_(names: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Remove environments by name. An environment that is still needed is created again at its next use."""
    if everything == bool(names):
        raise BadInput("no environment given. Name those to remove (`porter env list` shows them), or use --all")
    there = {one.name: one for one in _environments() if one.name and one.size_bytes}
    for name in names:
        if name not in there:
            raise BadInput(
                f"{one_line(name)}: no such environment{did_you_mean(name, there) or '.'} List them with "
                "`porter env list`"
            )
    removed = tuple(there.values()) if everything else tuple(there[name] for name in dict.fromkeys(names))
    for one in removed:
        remove(environments_folder() / one.name)
    _show(_environments(), removed, as_json)


def _environments() -> tuple[RuntimeEnvironment, ...]:
    runtimes = open_registry().runtimes()
    declared = {name: offers[0][0].environment for name, offers in runtimes.items()}
    return inventory({name: one for name, one in declared.items() if one is not None})


def _show(found: tuple[RuntimeEnvironment, ...], removed: tuple[RuntimeEnvironment, ...], as_json: bool) -> None:
    if as_json:
        report = EnvironmentReport(folder=str(environments_folder()), environments=found, removed=removed)
        say_json(report)
        return
    if removed:
        say(f"removed: {len(removed)}, {sum(one.size_bytes for one in removed)} bytes")
        for one in removed:
            say(f"    {one.path}")
        return
    if not found:
        say("no runtime has its own environment")
        return
    show_table(COLUMNS, [_row(one) for one in found])
    for one in found:
        if one.note:
            say(f"{one.runtime}: {one.note}")


def _row(one: RuntimeEnvironment) -> tuple[str, ...]:
    size = (str(one.packages), str(one.size_bytes))
    return (one.name or "-", one.runtime or "-", one.state, one.python or "-", *size, one.path or "-")
