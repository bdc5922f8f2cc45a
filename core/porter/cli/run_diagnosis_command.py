"""`porter diagnose run`: where the accuracy of a run went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from porter.cli.options import options, require_plugins
from porter.cli.plugin_files import given_plugins, open_registry
from porter.errors import ExitCode, one_line
from porter.runfolder.option_table import RUN_DIAGNOSIS

if TYPE_CHECKING:
    from porter.records.diagnosed import Diagnosis


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@options(RUN_DIAGNOSIS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(out: Path, trust_checkpoint: bool | None, as_json: bool) -> int:
    """Diagnose the run in the folder OUT.

    Weights, preprocessing and labels are checked. The same tensors go through PyTorch, the model exported afresh
    and every artefact. Each artefact whose runtime gives values inside the graph is compared with the fresh export node
    by node.

    Exit code 1 where something was found, 0 where nothing was.
    """
    from dataclasses import replace

    import msgspec

    from porter.cli.terminal_progress import TerminalProgress
    from porter.pipeline.begin import begin
    from porter.runfolder.lock import FolderLock
    from porter.runfolder.record_file import read_record

    record = read_record(out)
    require_plugins(record.request, given_plugins(), out)
    request = replace(record.request, trust_checkpoint=bool(trust_checkpoint), plugin_files=given_plugins())
    with TerminalProgress() as progress, FolderLock(out):
        run = begin(out, request, open_registry(), progress, record.command, fresh=False)
        run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        _show(found)
        click.echo(f"Record: {out / 'run.json'}")
    return int(ExitCode.OK if found.sound else ExitCode.VERDICT_FAILED)


def _show(found: Diagnosis) -> None:
    from porter.cli.graphs_command import show_graph

    for line in found.conclusion:
        click.echo(one_line(line))
    for form in found.forms:
        shown = ", ".join(f"{m.title} {m.value:.2f}" for m in form.metrics[:1]) or one_line(form.problem)
        flips = "" if form.changes is None else f"; answers changed: {form.changes.flipped} of {form.changes.images}"
        click.echo(f"    the same {found.images} tensors through {form.name}: {shown}{flips}")
    for graph in found.graphs:
        click.echo(f"    {graph.candidate} against the model exported afresh, node by node:")
        show_graph(graph)
    for artefact in found.not_probed:
        click.echo(f"    {artefact.artefact} was not compared node by node: {one_line(artefact.reason)}")
