"""`porter doctor`: what this machine has for each runtime, and how to get what it lacks."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from porter.hosting.engines import engine_packages
from porter.hosting.manager import create_registry
from porter.machine import host as machine
from porter.records.environment_report import EnvironmentState, RuntimeEnvironment
from porter.worker.inventory import inventory


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Show this machine and its runtimes: version, devices, precisions, and what to install."""
    registry = create_registry()
    environment = machine.describe(engine_packages(registry))
    runtimes = {name: offers[0][0] for name, offers in sorted(registry.runtimes().items())}
    statuses = {name: registry.status(name) for name in runtimes}
    declared = {name: one.environment for name, one in runtimes.items() if one.environment is not None}
    environments = inventory(declared)
    if as_json:
        document = {
            "machine": asdict(environment),
            "runtimes": {name: asdict(status) for name, status in statuses.items()},
            "environments": [asdict(one) for one in environments],
        }
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
        for one in environments:
            if one.runtime == name and one.state not in (EnvironmentState.UNAVAILABLE, EnvironmentState.UNUSED):
                click.echo(f"    environment: {_told(one)}")


def _told(one: RuntimeEnvironment) -> str:
    """One environment in words."""
    if one.state is EnvironmentState.NOT_MADE:
        return f"Python {one.python}, not made yet: made at first use, in {one.path}"
    size = f", {one.size_bytes} bytes" if one.size_bytes else ""
    return f"Python {one.python}, {one.path}: {one.state}, {one.packages} packages{size}"
