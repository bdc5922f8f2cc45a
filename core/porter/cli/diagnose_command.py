"""`porter diagnose`: three commands that find where accuracy is lost, each in a module of its own."""

from __future__ import annotations

import click

from porter.cli.graphs_command import graphs
from porter.cli.run_diagnosis_command import run
from porter.cli.tensors_command import tensors
from porter.errors import did_you_mean


class _Diagnose(click.Group):
    """Keeps the commands in order, and tells who leaves the command out which one takes the folder of a run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = did_you_mean(args[0], self.commands)
            raise click.UsageError(
                f"no command {args[0]!r} of porter diagnose{near or '.'} To diagnose a run: porter "
                f"diagnose run {args[0]}"
            )
        return super().resolve_command(ctx, args)


@click.group(cls=_Diagnose, commands=[run, graphs, tensors])
def diagnose() -> None:
    """Find the cause of wrong accuracy or outputs, in a run, in two graphs or in tensors."""
