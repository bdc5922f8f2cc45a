"""`porter run`, and each stage on its own."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from porter.cli.execution import executor_from
from porter.cli.options import (
    BENCH,
    CONFIG,
    DATA,
    DELIVERY,
    EVALUATION,
    EXECUTION,
    MODEL,
    PARITY,
    RUNTIME,
    TRUST,
    options,
    request_from,
    templates_option,
)
from porter.cli.run_summary import summary_json, summary_lines, unfinished_lines, verdict_lines
from porter.cli.terminal_progress import TerminalProgress
from porter.documents.deliver import require_templates
from porter.errors import ExitCode
from porter.hosting.manager import create_registry
from porter.pipeline.begin import begin
from porter.pipeline.run import Run
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.lock import FolderLock

_out = click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_fresh = click.option("--fresh", is_flag=True, help="Make everything anew, whatever an earlier run left.")


def _stage(
    model: str | None,
    out: Path | None,
    given: dict[str, Any],
    do: Callable[[Run], ExitCode],
    *,
    plain: bool = False,
    fresh: bool = False,
    templates: Path | None = None,
) -> tuple[Run, ExitCode]:
    """Do it in the run's folder. With `plain` no option of an earlier command is remembered."""
    folder = out if out is not None else Path("porter-out") / (model or "")
    executor, given = executor_from(given)
    request = request_from(model, folder, given, fresh=plain)
    command = shlex.join(["porter", *sys.argv[1:]])
    with TerminalProgress() as progress, FolderLock(folder) as lock, executor:
        run = begin(
            folder,
            request,
            create_registry(),
            progress,
            command,
            fresh=fresh,
            executor=executor,
            templates=templates,
        )
        lock.take()
        code = do(run)
    return run, code


@click.command()
@click.argument("model")
@options(MODEL, DATA, RUNTIME, PARITY, EVALUATION, BENCH, DELIVERY, EXECUTION)
@templates_option
@_out
@_fresh
@_json
def run(model: str, out: Path | None, fresh: bool, as_json: bool, templates: Path | None, **given: Any) -> int:
    """All stages: load, export, verify, evaluate, bench, deliver.

    Without --config, --checkpoint and --data the model runs on the sample that its plugin ships.
    """
    if templates is not None:
        require_templates(templates)
    result, code = _stage(model, out, given, Run.everything, plain=True, fresh=fresh, templates=templates)
    if as_json:
        click.echo(json.dumps(summary_json(result.job.folder, result.record, code)))
    else:
        click.echo("\n".join(summary_lines(result.job.folder, result.record)))
    return int(code)


def _alone(name: str, text: str, *groups: tuple[str, ...]) -> click.Command:
    """A stage as a command of its own. It goes on with the record in --out; MODEL may start a new one."""

    def command(model: str | None, out: Path | None, as_json: bool, **given: Any) -> int:
        result, code = _stage(model, out, given, lambda run: run.alone(name))
        if as_json:
            click.echo(json.dumps(summary_json(result.job.folder, result.record, code)))
        else:
            click.echo(f"{name}: done, {result.job.folder / RECORD_NAME}")
            failed = [verdict for verdict in result.record.verdicts if verdict.state == "fail"]
            for line in [*verdict_lines(failed), *unfinished_lines(result.record)]:
                click.echo(line)
        return int(code)

    command.__doc__ = f"{text}\n\nGoes on with the record in --out; only what that lacks must be given."
    argument = click.argument("model", required=False)
    return click.command(name)(argument(options(*groups)(_out(_json(command)))))


export = _alone("export", "Load the checkpoint and write a checked ONNX file.", MODEL)
verify = _alone("verify", "Compare every artefact with the reference on real images.", DATA, RUNTIME, PARITY, TRUST)
preprocess = _alone("preprocess", "Write the tensors of all images to tensors/.", CONFIG, DATA)
infer = _alone("infer", "Write the outputs for all images to outputs/.", DATA, RUNTIME, ("batch", "batch_sizes"), TRUST)
evaluate = _alone("evaluate", "Score the reference and every artefact.", DATA, RUNTIME, EVALUATION, EXECUTION, TRUST)
bench = _alone("bench", "Measure every artefact at every batch size.", RUNTIME, DATA, BENCH)
