"""`porter doctor`: what this machine has for each runtime, and how to get what it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.machine import host as machine


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
    for name, status in statuses.items():
        if status.available:
            click.echo(f"{name} {status.version}: available")
            click.echo(f"    devices: {', '.join(status.devices)}")
            click.echo(f"    precisions: {', '.join(status.precisions)}")
            if status.advice:
                click.echo(f"    {status.advice}")
        else:
            click.echo(f"{name}: not available; {status.advice}")
        for line in status.details:
            click.echo(f"    {line}")
