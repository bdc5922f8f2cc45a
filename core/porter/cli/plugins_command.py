"""`porter plugins`: what is installed, what it offers, and why something does not work."""

from __future__ import annotations

import json
from typing import Any

import click

from porter.cli.options import options
from porter.cli.plugin_files import given_plugins
from porter.cli.table import show_table
from porter.errors import one_line
from porter.files.outward import say
from porter.hosting.hooks import PREFIX
from porter.hosting.manager import create_registry
from porter.hosting.registry import Registry

COLUMNS = ("plugin", "from", "for porter-core", "state", "offers", "hooks")
OFFERS = ("models", "runtimes", "tasks", "forms")


@click.command()
@options("plugins")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """Show the installed plugins: models, runtimes, hooks, and why one failed."""
    registry = create_registry(files=given_plugins())
    rows = describe(registry)
    if as_json:
        say(*json.dumps(rows, indent=1).splitlines())
        return
    show_table(COLUMNS, [_cells(row) for row in rows])
    for name, offered in sorted(registry.forms().items()):
        say(f"--template {name}: {one_line(offered[0][0].title)}")
    for row in rows:
        for problem in row["problems"]:
            say(f"{one_line(row['name'])}: {problem}")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    origin = f"{row['distribution']} {row['version']}" if row["distribution"] else row["file"]
    made_for = "" if row["made_for"] is None else row["made_for"] or "not said"
    offers = [f"{kind}: {', '.join(row[kind])}" for kind in OFFERS if row[kind]]
    hooks = ", ".join(hook.removeprefix(PREFIX) for hook in row["hooks"])
    return (row["name"], origin, made_for, row["state"], "; ".join(offers), hooks)


def describe(registry: Registry) -> list[dict[str, Any]]:
    """Every plugin as a plain dictionary."""
    kinds: dict[str, dict[str, list[tuple[Any, str]]]] = {
        "models": registry.models(),
        "runtimes": registry.runtimes(),
        "tasks": registry.tasks(),
        "forms": registry.forms(),
    }
    rows = []
    for info in registry.infos:
        row: dict[str, Any] = {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
            "file": info.file,
            "state": info.state,
            "made_for": info.made_for,
            "hooks": list(info.hooks),
            "problems": [info.reason] if info.reason else [],
        }
        for kind, offers in kinds.items():
            mine = [name for name, offered in offers.items() if any(plugin == info.name for _, plugin in offered)]
            mine = mine if info.state == "active" else []  # another plugin of that name may offer them
            row[kind] = mine
            for name in mine:
                others = [plugin for _, plugin in offers[name] if plugin != info.name]
                if others:
                    row["problems"].append(
                        f"{kind[:-1]} {one_line(name)!r} is also offered by {', '.join(others)}. "
                        "Disable one of them with PORTER_DISABLE_PLUGINS"
                    )
        rows.append(row)
    return rows
