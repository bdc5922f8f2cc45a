"""`porter doctor`: what this machine has for each runtime, and how to get what it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.cli.table import show_table
from porter.contracts.runtime import RuntimeStatus
from porter.errors import one_line
from porter.machine import host as machine

COLUMNS = ("runtime", "version", "devices", "precisions")
"""Of the runtimes that are available; the others follow with what they lack."""


@click.command()
@options("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Show this machine and its runtimes: version, devices, precisions, and what to install."""
    environment = machine.describe()
    registry = open_registry()
    statuses = {name: registry.status(name) for name in sorted(registry.runtimes())}
    if as_json:
        document = {"machine": asdict(environment), "runtimes": {n: asdict(s) for n, s in statuses.items()}}
        click.echo(json.dumps(document, indent=1))
        return
    click.echo(f"{environment.cpu}, {environment.threads} usable threads, {environment.memory_gib} GiB")
    click.echo(f"{environment.os}, Python {environment.python}")
    for name, version in environment.packages.items():
        click.echo(f"    {name} {version}")
    here = {name: status for name, status in statuses.items() if status.available}
    show_table(COLUMNS, [_cells(name, status) for name, status in here.items()])
    for name, status in statuses.items():
        if status.advice or not status.available:
            click.echo(f"{one_line(name)}: {'' if status.available else 'not available; '}{one_line(status.advice)}")
        for line in status.details:
            click.echo(f"    {one_line(line)}" if not status.available else f"{one_line(name)}: {one_line(line)}")


def _cells(name: str, status: RuntimeStatus) -> tuple[str, ...]:
    return (name, status.version, ", ".join(status.devices), ", ".join(status.precisions))
