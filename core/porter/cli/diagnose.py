"""`porter diagnose`: where the accuracy went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from porter.errors import BadInput, ExitCode, one_line

if TYPE_CHECKING:
    from porter.records.diagnosis import GraphDiagnosis

WORST_SHOWN = 10


@click.command()
@click.argument("out", required=False, type=click.Path(path_type=Path), metavar="[OUT | preprocess]")
@click.option("--reference", type=click.Path(path_type=Path), metavar="ONNX", help="Compare this graph …")
@click.option("--candidate", type=click.Path(path_type=Path), metavar="ONNX", help="… with this one, node by node.")
@click.option("--tensors", type=click.Path(path_type=Path), metavar="DIR", help="Tensors of your own, .npy or .bin.")
@click.option("--model", metavar="NAME", help="Whose preprocessing to hold them against.")
@click.option("--config", metavar="FILE", help="The model's config.")
@click.option("--data", metavar="DIR", help="Images to feed, or those that the tensors were made from.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Images to use.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="SVG", help="Write the error along the depth here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def diagnose(
    out: Path | None,
    reference: Path | None,
    candidate: Path | None,
    tensors: Path | None,
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
    porter diagnose --reference A.onnx --candidate B.onnx      two graphs, node by node
    porter diagnose preprocess --tensors DIR --data IMAGES     tensors that another program made

    Exit code 1 where something was found, 0 where nothing was.
    """
    if str(out) == "preprocess":
        if tensors is None:
            raise BadInput("porter diagnose preprocess: give --tensors DIR with one .npy or .bin an image")
        return _preprocess(tensors, model, config, data, limit, as_json)
    if reference is not None or candidate is not None:
        if reference is None or candidate is None or out is not None:
            raise BadInput("give --reference A.onnx and --candidate B.onnx together, and no OUT")
        return _graphs(reference, candidate, data, limit, chart, as_json)
    if out is None:
        raise BadInput("give the folder of a run, or --reference and --candidate, or `preprocess` and --tensors")
    return _run(out, as_json)


def _run(out: Path, as_json: bool) -> int:
    import msgspec

    from porter.cli.progress import TerminalProgress
    from porter.plugins.manager import create_registry
    from porter.records.store import read_record
    from porter.run import begin

    record = read_record(out)
    with TerminalProgress() as progress:
        run = begin(out, record.request, create_registry(), progress, record.command, fresh=False)
        run.diagnose()
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
        _show_graph(graph)
    click.echo(f"Record: {out / 'run.json'}")
    return _code(found.sound)


def _graphs(
    reference: Path, candidate: Path, data: str | None, limit: int | None, chart: Path | None, as_json: bool
) -> int:
    import msgspec

    from porter.cli.progress import TerminalProgress
    from porter.diagnose.conclude import graph_lines
    from porter.diagnose.graphs.chart import depth_chart
    from porter.diagnose.graphs.nodes import diagnose_graphs
    from porter.diagnose.graphs.probe import OnnxProbe
    from porter.diagnose.images import feeds_for
    from porter.records.store import write_whole

    first = OnnxProbe.read(reference)
    with TerminalProgress() as progress:
        feeds, how = feeds_for(first.graph.model, None if data is None else Path(data), limit or 1)
        progress.note(how)
        found = diagnose_graphs(first, OnnxProbe.read(candidate), feeds, progress=progress)
    if chart is not None:
        write_whole(chart, depth_chart(found))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo("\n".join(map(one_line, graph_lines(found))) or "no node differs beyond the tolerance")
        _show_graph(found)
    return _code(not graph_lines(found))


def _preprocess(
    tensors: Path, model: str | None, config: str | None, data: str | None, limit: int | None, as_json: bool
) -> int:
    import msgspec

    from porter.contracts.requests import ModelRequest
    from porter.data.listing import list_images
    from porter.data.selection import evenly_spaced
    from porter.diagnose.preprocessing.explain import explain_preprocessing, read_samples
    from porter.diagnose.preprocessing.tensors import read_user_tensors
    from porter.plugins.manager import create_registry
    from porter.stages.verdicts import preprocessing_causes

    if model is None or data is None:
        raise BadInput("porter diagnose preprocess: give --model NAME and --data DIR, the images of the tensors")
    offer, hooks = create_registry().model(model)
    shipped = offer.shipped.config if offer.shipped is not None else None
    spec = hooks.describe(ModelRequest(model=model, config=Path(config) if config else shipped)).preprocess
    root = Path(data)
    ids = list_images(root)
    chosen = [ids[index] for index in evenly_spaced(len(ids), limit or min(len(ids), 8))]
    arrays = dict(zip(chosen, read_user_tensors(tensors, chosen, spec), strict=True))
    finding = explain_preprocessing(read_samples(root, chosen, lambda image: arrays[image.id]), spec)
    if as_json:
        click.echo(msgspec.json.encode(finding))
    elif finding.identical:
        click.echo(f"{finding.images} tensors agree with the reference pipeline of {one_line(model)}")
    else:
        click.echo(f"{finding.differing} of {finding.images} tensors differ from the reference pipeline")
        for line in preprocessing_causes(finding):
            click.echo(f"    {one_line(line)}")
    return _code(finding.identical)


def _show_graph(graph: GraphDiagnosis) -> None:
    for rank, one in enumerate(graph.worst[:WORST_SHOWN], start=1):
        added = one.alone if one.alone is not None else one.error
        size = added.problem if added.relative_error is None else f"{added.relative_error:.3g}"
        click.echo(f"    {rank:2}. adds {size}: {one.op_type} {one_line(one.name)} {one_line(one.module)}")


def _code(sound: bool) -> int:
    return int(ExitCode.OK if sound else ExitCode.VERDICT_FAILED)
