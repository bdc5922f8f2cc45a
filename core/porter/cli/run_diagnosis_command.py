"""`porter diagnose run`: where the accuracy of a run went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from porter.cli.options import options, require_plugins
from porter.cli.plugin_files import given_plugins, open_registry
from porter.errors import ExitCode, one_line
from porter.files.outward import say, say_json
from porter.runfolder.option_table import RUN_DIAGNOSIS

if TYPE_CHECKING:
    from porter.records.diagnosed import Diagnosis


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@options(RUN_DIAGNOSIS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(out: Path, trust_checkpoint: bool | None, as_json: bool) -> int:
    """Diagnose the run in the folder OUT.

    The failed verdicts are repeated on the same images and batches. The model is exported again and compared with
    PyTorch, module by module. Every artefact is compared with ONNX Runtime, and with itself at batch 1 and on one
    thread. Preprocessing, weights and labels are checked.

    Each line names one cause, most likely first, with the next command.

    The exit code is 1 if a verdict of the run failed or a cause was found, otherwise 0.
    """
    from dataclasses import replace

    from porter.cli.terminal_progress import TerminalProgress
    from porter.pipeline.begin import begin
    from porter.runfolder.lock import FolderLock
    from porter.runfolder.record_file import read_record

    record = read_record(out)
    if record.load_failure and record.export is None:
        say(f"weights: {one_line(record.load_failure)}")
        say(f"    next: {one_line(record.commands.get('export', 'porter export'))}")
        return int(ExitCode.VERDICT_FAILED)
    require_plugins(record.request, given_plugins(), out)
    request = replace(record.request, trust_checkpoint=bool(trust_checkpoint), plugin_files=given_plugins())
    with TerminalProgress() as progress, FolderLock(out):
        run = begin(out, request, open_registry(), progress, record.command, fresh=False)
        code = run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None
    if as_json:
        say_json(found)
    else:
        _show(found)
        say(f"Record: {out / 'run.json'}")
    return int(code)


def _show(found: Diagnosis) -> None:
    from porter.cli.graphs_command import show_graph

    for finding in found.findings:
        say(one_line(finding.text))
        say(f"    next: {one_line(finding.command)}")
    if not found.findings:
        say(one_line(found.conclusion[0]))
    for one in found.ruled_out:
        say(f"    ruled out: {one_line(one.suspect)} ({one_line(one.evidence)})")
    for form in found.forms:
        shown = ", ".join(f"{m.title} {m.value:.2f}" for m in form.metrics[:1]) or one_line(form.problem)
        flips = (
            "" if form.changes is None else f"; predictions changed: {form.changes.flipped} of {form.changes.images}"
        )
        say(f"    {form.name}, same {found.images} tensors: {shown}{flips}")
    for graph in found.graphs:
        say(f"    {graph.candidate} compared with the re-exported model, node by node:")
        show_graph(graph)
    for artefact in found.not_probed:
        say(f"    {artefact.artefact} not compared node by node: {one_line(artefact.reason)}")
