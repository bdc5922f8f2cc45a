"""`porter predict`: answers of a delivered model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.cli.table import show_table
from porter.cli.terminal_progress import TerminalProgress
from porter.errors import one_line
from porter.files.outward import say, say_json
from porter.predicting.delivered import open_delivered
from porter.records.predicted import Predicted, PredictionReport
from porter.runfolder.record_file import read_record


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.argument("files", metavar="IMAGE…", nargs=-1, required=True)
@click.option(
    "--artefact", metavar="ID", help="Artefact to use, as the results table names it [default: the table's first]."
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Most entries per image [default: all].")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@options("predict")
def predict(
    out: Path, files: tuple[str, ...], artefact: str | None, top: int | None, as_json: bool, **given: Any
) -> None:
    """Predict with an artefact of the run in OUT, through the preprocessing that was verified.

    Needs the runtime and the plugin of the task. The model's own plugin and PyTorch are needed only if the plugin
    answers hooks of its own for images or outputs.
    """
    record, registry = read_record(out), open_registry()
    with (
        TerminalProgress() as progress,
        open_delivered(out, record, registry, artefact=artefact, progress=progress, **given) as predictor,
    ):
        failed = [one for one in record.states if one.name == predictor.artefact.id and one.passed is False]
        for one in failed:
            progress.note(f"{one.name} does not pass: {one.state}")
        found = tuple(Predicted(sample=one.sample, entries=one.entries[:top]) for one in predictor.predict(files))
    if as_json:
        say_json(
            PredictionReport(
                folder=str(out),
                artefact=predictor.artefact.id,
                provider=predictor.info.provider,
                predictions=found,
            )
        )
    else:
        _show(found)


def _show(predictions: tuple[Predicted, ...]) -> None:
    """One row for each entry, under the names that the task gives."""
    names = list(dict.fromkeys(name for one in predictions for entry in one.entries for name in entry))
    rows = [[one.sample, *_cells(entry, names)] for one in predictions for entry in one.entries]
    if rows:
        show_table(["image", *names], rows)
    for one in predictions:
        if not one.entries:
            say(f"{one_line(one.sample)}: nothing found")


def _cells(entry: Mapping[str, Any], names: list[str]) -> list[str]:
    return [f"{value:.4g}" if isinstance(value := entry.get(name, ""), float) else str(value) for name in names]
