"""`porter compare`: two runs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from porter.cli.option_types import RolePath
from porter.cli.table import show_table
from porter.comparing.compare import compare_runs
from porter.comparing.comparison_summary import change_words, conclusion, parts
from porter.comparing.reproduce import other_versions, reproduction, require_inputs
from porter.errors import BadInput, ExitCode, one_line
from porter.files.outward import say, say_json
from porter.files.whole import write_whole
from porter.records.comparison import RunComparison
from porter.runfolder.record_file import read_record


@click.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path), required=False)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="HTML file for the comparison.")
@click.option("--reproduce", is_flag=True, help="Treat any difference as a failure (used by reproduce.sh).")
@click.option(
    "--input",
    "inputs",
    type=RolePath(),
    multiple=True,
    metavar="ROLE=PATH",
    help="Where an input of FIRST is now, e.g. labels=FILE; repeat for several (used by reproduce.sh).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compare(
    first: Path,
    second: Path | None,
    html: Path | None,
    reproduce: bool,
    inputs: tuple[tuple[str, Path], ...],
    as_json: bool,
) -> int:
    """Compare the run in SECOND with the run in FIRST, and say whether anything got worse.

    Accuracy is compared image by image if both runs scored the same images, speed with the noise of both. The exit
    code is 1 if a verdict no longer passes, or if accuracy is significantly worse or missing. Speed is shown, but does
    not change the exit code.

    With --reproduce the exit code is 1 if an input, a file that is deterministic, a verdict or the accuracy differs.
    Speed is stated and never decides. With --reproduce and FIRST alone, the inputs of that run are checked and the
    versions that differ here are named.
    """
    if second is None:
        if not reproduce or html is not None or as_json:
            raise BadInput("two runs are needed: porter compare FIRST SECOND")
        return _look(first, dict(inputs))
    if inputs:
        raise BadInput("--input: only with --reproduce and without SECOND")
    if html is not None and html.is_dir():
        raise BadInput(f"--html {one_line(html)}: a folder, not a file")
    found = reproduction(first, second) if reproduce else compare_runs(first, second)
    if html is not None:
        from porter.comparing.comparison_page import page

        write_whole(html, page(found).encode())
    if as_json:
        say_json(found)
    else:
        _show(found)
    failed = found.worse if found.reproduction is None else found.reproduction
    return int(ExitCode.VERDICT_FAILED if failed else ExitCode.OK)


def _look(folder: Path, inputs: Mapping[str, Path]) -> int:
    """Whether the run can be made again: its inputs, and what differs here."""
    record = read_record(folder)
    require_inputs(record, inputs)
    say("inputs: those of the record")
    for change in other_versions(record):
        say(f"other version here: {one_line(change_words(change))}")
    return int(ExitCode.OK)


def _show(found: RunComparison) -> None:
    for part in parts(found):
        say(part.title)
        if part.rows:
            show_table(part.columns, part.rows)
        for line in part.below:
            say(one_line(line))
        say("")
    for line in conclusion(found):
        say(f"{' ' * (len(line) - len(line.lstrip()))}{one_line(line)}")
