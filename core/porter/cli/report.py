"""`porter report`: the documents again, from run.json alone."""

from __future__ import annotations

from pathlib import Path

import click

from porter.cli.options import templates_option
from porter.records.store import read_record
from porter.stages.deliver import deliver, require_templates


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@templates_option
def report(out: Path, templates: Path | None) -> None:
    """Write the documents of the run in OUT again, from its run.json alone."""
    if templates is not None:
        require_templates(templates)
    for path in deliver(out, read_record(out), templates):
        click.echo(path)
