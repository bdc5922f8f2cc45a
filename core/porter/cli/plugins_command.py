"""`porter plugins`: what is installed, what it offers, and why something does not work."""

from __future__ import annotations

import json
from typing import Any

import click

from porter.errors import one_line
from porter.hosting.manager import create_registry
from porter.hosting.registry import Registry


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def plugins(as_json: bool) -> None:
    """Show the installed plugins, with what they offer and the reason where one failed."""
    rows = describe(create_registry())
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        origin = f"  ({row['distribution']} {row['version']})" if row["distribution"] else ""
        click.echo(f"{one_line(row['name'])}{origin}  {row['state']}")
        for key in ("models", "runtimes", "tasks", "hooks"):
            if row[key]:
                click.echo(f"    {key}: {', '.join(map(one_line, row[key]))}")
        if row["made_for"] is not None:
            versions = row["made_for"]
            said = f"made for porter-core {versions}" if versions else "does not say which porter-core it was made for"
            click.echo(f"    {said}")
        for problem in row["problems"]:
            click.echo(f"    {problem}")


def describe(registry: Registry) -> list[dict[str, Any]]:
    """Every plugin as a plain dictionary."""
    kinds: dict[str, dict[str, list[tuple[Any, str]]]] = {
        "models": registry.models(),
        "runtimes": registry.runtimes(),
        "tasks": registry.tasks(),
    }
    rows = []
    for info in registry.infos:
        row: dict[str, Any] = {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
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
                        f"{kind[:-1]} {one_line(name)!r} is also offered by {', '.join(others)}; "
                        "neither can be used until one is switched off (PORTER_DISABLE_PLUGINS)"
                    )
        rows.append(row)
    return rows
