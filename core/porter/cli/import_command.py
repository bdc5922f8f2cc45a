"""`porter import`: results of another machine, into a run's record and documents."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from porter.cli.chosen_form import chosen_form
from porter.cli.headed_help import HeadedCommand
from porter.cli.option_types import BatchSizes, FiniteFloat
from porter.cli.options import options
from porter.cli.plugin_files import given_plugins, open_registry
from porter.cli.run_summary import print_summary, summary_json
from porter.cli.terminal_progress import TerminalProgress
from porter.files.outward import say_json, shell_line
from porter.importing.import_request import DEFAULT_MAX_DROP, ImportRequest
from porter.importing.import_results import import_results
from porter.pipeline.judge.verdicts import exit_code
from porter.runfolder.lock import FolderLock


@click.command("import", cls=HeadedCommand)
@click.argument("runtime")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Name of the model [default: that of the kit].")
@click.option("--variant", metavar="NAME", help="Published variant of the model, e.g. w18.")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Config file of the model, instead of --variant.",
)
@click.option(
    "--labels", type=click.Path(path_type=Path, exists=True), metavar="FILE", help="Label file with lines NAME LABEL."
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder of images, if labels are given by class folders.",
)
@click.option(
    "--label-offset", type=int, default=0, metavar="N", help="Number to subtract from every label [default: 0]."
)
@click.option(
    "--batch-sizes", type=BatchSizes(), default=(), metavar="N,N", help="Batch sizes to look for [default: all found]."
)
@click.option(
    "--devices-per-card",
    type=click.IntRange(min=1, max=64),
    metavar="N",
    help="Devices per card; adds the throughput of a card, computed as N times a device.",
)
@click.option(
    "--max-drop",
    type=FiniteFloat(min=0),
    default=DEFAULT_MAX_DROP,
    show_default=True,
    metavar="X",
    help="Largest accuracy drop allowed, in percentage points.",
)
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="RUNTIME.NAME=VALUE",
    help="Option of the runtime, as `porter doctor` lists it; repeat for several.",
)
@options("import")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the run [default: porter-out/MODEL-RUNTIME].",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def import_(
    runtime: str,
    folder: Path,
    out: Path | None,
    as_json: bool,
    form: str | None,
    host_facts: str | None,
    **given: object,
) -> int:
    """Import results that were measured on another machine.

    RUNTIME is the runtime whose tools wrote the files. FOLDER is a kit with its results, or any folder with such
    files. Missing and contradictory figures are reported.
    """
    command = shell_line(["porter", *sys.argv[1:]])
    registry = open_registry()
    given["form"], templates = chosen_form(form, registry)
    given["host_facts"] = None if host_facts is None else Path(host_facts)
    given |= {"templates": templates, "plugin_files": given_plugins(), "command": command}
    request = ImportRequest(runtime=runtime, folder=folder, **given)  # type: ignore[arg-type]
    where = out if out is not None else Path("porter-out") / f"{request.model or folder.resolve().name}-{runtime}"
    with TerminalProgress() as progress, FolderLock(where):
        record = import_results(request, where, registry, progress)
    code = exit_code(record)
    if as_json:
        say_json(summary_json(where, record, code))
    else:
        print_summary(where, record)
    return int(code)
