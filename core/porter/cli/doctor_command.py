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
from porter.files.outward import say
from porter.hosting.engines import engine_packages
from porter.machine import host as machine
from porter.records.environment_report import EnvironmentState, RuntimeEnvironment
from porter.worker.inventory import inventory

COLUMNS = ("runtime", "version", "devices", "precisions")
"""Of the runtimes that are available; the others follow with what they lack."""


@click.command()
@options("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(as_json: bool) -> None:
    """Show this machine and its runtimes: versions, devices, data types, and what to install."""
    registry = open_registry()
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
        say(*json.dumps(document, indent=1).splitlines())
        return
    say(f"{environment.cpu}, {environment.threads} usable threads, {environment.memory_gib} GiB")
    say(f"{environment.os}, Python {environment.python}")
    if environment.slower_because:
        say(f"preprocessing is not as fast as possible: {environment.slower_because}")
    for name, version in environment.packages.items():
        say(f"    {name} {version}")
    here = {name: status for name, status in statuses.items() if status.available}
    show_table(COLUMNS, [_cells(name, status) for name, status in here.items()])
    for name, status in statuses.items():
        lines = [one_line(line) for line in status.details]
        lines += [
            f"environment: {_told(one)}"
            for one in environments
            if one.runtime == name and one.state not in (EnvironmentState.UNAVAILABLE, EnvironmentState.UNUSED)
        ]
        if not status.available:
            say(f"{one_line(name)}: not available; {one_line(status.advice)}")
        elif lines or status.advice:
            say(f"{one_line(name)}: {one_line(status.advice)}".removesuffix(" "))
        for line in lines:
            say(f"    {line}")


def _cells(name: str, status: RuntimeStatus) -> tuple[str, ...]:
    return (name, status.version, ", ".join(status.devices), ", ".join(status.precisions))


def _told(one: RuntimeEnvironment) -> str:
    """One environment in words."""
    if one.state is EnvironmentState.NOT_MADE:
        return f"Python {one.python}, created at first use in {one.path}"
    size = f", {one.size_bytes} bytes" if one.size_bytes else ""
    return f"Python {one.python}, {one.path}: {one.state}, {one.packages} packages{size}"
