"""`porter diagnose`: where the accuracy went."""

from __future__ import annotations

from pathlib import Path

import click

from porter.cli.graphs_command import RUNTIMES, GraphOptions, compare_graphs, show_graph
from porter.cli.headed_help import HeadedCommand
from porter.cli.options import options, require_plugins
from porter.cli.plugin_files import given_plugins, open_registry
from porter.cli.tensors_command import TensorOptions, check_tensors
from porter.errors import BadInput, ExitCode, one_line
from porter.graphs.openvino import PRECISIONS
from porter.runfolder.option_table import GRAPHS, RUN_DIAGNOSIS


@click.command(cls=HeadedCommand)
@click.argument("out", required=False, type=click.Path(path_type=Path), metavar="[OUT | preprocess]")
@click.option("--reference", type=click.Path(path_type=Path), metavar="ONNX", help="Compare this graph …")
@click.option("--candidate", type=click.Path(path_type=Path), metavar="ONNX", help="… with this one, node by node.")
@click.option("--candidate-runtime", type=click.Choice(RUNTIMES), help="What runs it [default: onnxruntime].")
@click.option("--candidate-precision", type=click.Choice(PRECISIONS), help="For openvino [default: fp32].")
@options(GRAPHS, RUN_DIAGNOSIS)
@click.option("--tensors", type=click.Path(path_type=Path), metavar="DIR", help="Tensors of your own, .npy or .bin.")
@click.option(
    "--out", "run_folder", type=click.Path(path_type=Path), metavar="OUT", help="The run to hold them against."
)
@click.option("--model", metavar="NAME", help="Or the model [default: the one that ships a sample].")
@click.option("--config", metavar="FILE", help="The model's config.")
@click.option("--data", metavar="DIR", help="Images to feed, or those that the tensors were made from.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Images to use.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="SVG", help="Write the error along the depth here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diagnose(
    out: Path | None,
    reference: Path | None,
    candidate: Path | None,
    candidate_runtime: str | None,
    candidate_precision: str | None,
    atol: float | None,
    rtol: float | None,
    trust_checkpoint: bool | None,
    tensors: Path | None,
    run_folder: Path | None,
    model: str | None,
    config: str | None,
    data: str | None,
    limit: int | None,
    chart: Path | None,
    as_json: bool,
) -> int:
    """Find where two versions of a model part, or what is wrong with preprocessing or labels.

    \b
    porter diagnose OUT                                        a run: all of it
    porter diagnose --reference A.onnx --candidate B.onnx      two graphs, node by node; both may be one file
    porter diagnose preprocess --tensors DIR --out OUT         tensors that another program made of a run's images

    Exit code 1 where something was found, 0 where nothing was.
    """
    if str(out) == "preprocess":
        if tensors is None:
            raise BadInput("porter diagnose preprocess: give --tensors DIR with one .npy or .bin an image")
        return check_tensors(
            TensorOptions(
                tensors=tensors, out=run_folder, model=model, config=config, data=data, limit=limit, as_json=as_json
            )
        )
    if run_folder is not None and out is None:
        out, run_folder = run_folder, None
    if run_folder is not None or tensors is not None or model is not None or config is not None:
        raise BadInput("--tensors, --model and --config go with `porter diagnose preprocess`, and OUT is given once")
    if reference is not None or candidate is not None:
        if reference is None or candidate is None or out is not None:
            raise BadInput("give --reference A.onnx and --candidate B.onnx together, and no OUT")
        return compare_graphs(
            GraphOptions(
                reference=reference,
                candidate=candidate,
                runtime=candidate_runtime,
                precision=candidate_precision,
                data=None if data is None else Path(data),
                limit=limit,
                atol=atol,
                rtol=rtol,
                chart=chart,
                as_json=as_json,
            )
        )
    if (candidate_runtime, candidate_precision, atol, rtol) != (None, None, None, None):
        raise BadInput(
            "--candidate-runtime, --candidate-precision, --atol and --rtol go with --reference A.onnx and "
            "--candidate B.onnx"
        )
    if out is None:
        raise BadInput("give the folder of a run, or --reference and --candidate, or `preprocess` and --tensors")
    if data is not None or limit is not None or chart is not None:
        raise BadInput("a run is diagnosed on its own images and writes its own charts: no --data, --limit or --chart")
    return _run(out, as_json, trust=bool(trust_checkpoint))


def _run(out: Path, as_json: bool, *, trust: bool) -> int:
    from dataclasses import replace

    import msgspec

    from porter.cli.terminal_progress import TerminalProgress
    from porter.pipeline.begin import begin
    from porter.runfolder.lock import FolderLock
    from porter.runfolder.record_file import read_record

    record = read_record(out)
    require_plugins(record.request, given_plugins(), out)
    request = replace(record.request, trust_checkpoint=trust, plugin_files=given_plugins())
    with TerminalProgress() as progress, FolderLock(out):
        run = begin(out, request, open_registry(), progress, record.command, fresh=False)
        run.alone("diagnose")
    found = run.record.diagnosis
    assert found is not None
    if as_json:
        click.echo(msgspec.json.encode(found))
        return _code(found.sound)
    for line in found.conclusion:
        click.echo(one_line(line))
    for form in found.forms:
        shown = ", ".join(f"{m.title} {m.value:.2f}" for m in form.metrics[:1]) or one_line(form.problem)
        flips = "" if form.changes is None else f"; answers changed: {form.changes.flipped} of {form.changes.images}"
        click.echo(f"    the same {found.images} tensors through {form.name}: {shown}{flips}")
    for graph in found.graphs:
        show_graph(graph)
    click.echo(f"Record: {out / 'run.json'}")
    return _code(found.sound)


def _code(sound: bool) -> int:
    return int(ExitCode.OK if sound else ExitCode.VERDICT_FAILED)
