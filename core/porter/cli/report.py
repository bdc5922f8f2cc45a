"""`porter report`: the documents again, from run.json alone."""

from __future__ import annotations

from pathlib import Path

import click

from porter.records.store import read_record
from porter.stages.deliver import deliver


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
def report(out: Path) -> None:
    """Write the documents of the run in OUT again, from its run.json alone."""
    for path in deliver(out, read_record(out)):
        click.echo(path)
