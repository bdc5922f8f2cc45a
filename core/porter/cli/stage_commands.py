"""`porter run`, and each stage on its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click

from porter.cli.chosen_form import chosen_form
from porter.cli.execution import executor_from
from porter.cli.headed_help import HeadedCommand
from porter.cli.options import options, request_from
from porter.cli.plugin_files import open_registry
from porter.cli.run_summary import print_summary, stage_lines, summary_json
from porter.cli.terminal_progress import TerminalProgress
from porter.contracts.progress import Progress
from porter.errors import ExitCode
from porter.files.outward import say, say_json, shell_line
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.runfolder.lock import FolderLock

_out = click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the run [default: porter-out/MODEL]."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_fresh = click.option(
    "--fresh", is_flag=True, help="Redo everything; unmodified files of an earlier run in DIR are removed."
)


def stage(
    model: str | None,
    out: Path | None,
    given: dict[str, Any],
    do: Callable[[Run], ExitCode],
    *,
    plain: bool = False,
    fresh: bool = False,
    progress: AbstractContextManager[Progress] | None = None,
    words: Sequence[str] | None = None,
) -> tuple[Run, ExitCode]:
    """Do it in the run's folder. With `plain` no option of an earlier command is remembered. `progress`: None shows it
    on stderr; `words` are the arguments of the command that does the same, None: those of this process."""
    registry = open_registry()
    given["form"], templates = chosen_form(given.pop("form", None), registry)
    folder = out if out is not None else Path("porter-out") / (model or "")
    executor, given = executor_from(given)
    request = request_from(model, folder, given, fresh=plain)
    command = shell_line(["porter", *(sys.argv[1:] if words is None else words)])
    with progress or TerminalProgress() as shown, FolderLock(folder) as lock, executor:
        run = begin(
            folder,
            request,
            registry,
            shown,
            command,
            fresh=fresh,
            executor=executor,
            templates=templates,
        )
        for swept in lock.take():
            shown.note(f"removed {swept}: left incomplete by a command that was killed")
        try:
            code = do(run)
        finally:
            run.say_what_is_gone()
    return run, code


@click.command(cls=HeadedCommand)
@click.argument("model")
@options("run")
@_out
@_fresh
@_json
def run(model: str, out: Path | None, fresh: bool, as_json: bool, **given: Any) -> int:
    """Run all stages: load, export, verify, evaluate, bench, deliver.

    Without --config, --checkpoint and --data, the sample shipped with the model's plugin is used.
    """
    result, code = stage(model, out, given, Run.everything, plain=True, fresh=fresh)
    if as_json:
        say_json(summary_json(result.job.folder, result.record, code))
    else:
        print_summary(result.job.folder, result.record)
    return int(code)


def _alone(name: str, text: str) -> click.Command:
    """A stage as a command of its own. It goes on with the record in --out; MODEL may start a new one."""

    def command(model: str | None, out: Path | None, as_json: bool, **given: Any) -> int:
        result, code = stage(model, out, given, lambda run: run.alone(name))
        if as_json:
            say_json(summary_json(result.job.folder, result.record, code))
        else:
            say(*stage_lines(name, result.job.folder, result.record))
        return int(code)

    command.__doc__ = f"{text}\n\nContinues the run in --out. Options that the run has already may be omitted."
    argument = click.argument("model", required=False)
    return click.command(name, cls=HeadedCommand)(argument(options(name)(_out(_json(command)))))


export = _alone("export", "Load the checkpoint and write a checked ONNX file.")
verify = _alone("verify", "Compare every artefact with the reference on real images.")
preprocess = _alone("preprocess", "Write the tensors of all images to tensors/.")
infer = _alone("infer", "Write the outputs for all images to outputs/.")
evaluate = _alone("evaluate", "Score the reference and every artefact.")
bench = _alone("bench", "Measure every artefact at every batch size.")
