"""`porter diagnose --reference A --candidate B`: two graphs, or a graph and what another runtime makes of one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from porter.errors import BadInput, ExitCode, one_line

if TYPE_CHECKING:
    from porter.graphs.probe import OnnxProbe, Probe
    from porter.pipeline.judge.tolerance import Bound
    from porter.records.diagnosis import GraphDiagnosis, NodeFinding

ONNXRUNTIME, OPENVINO = "onnxruntime", "openvino"
RUNTIMES = (ONNXRUNTIME, OPENVINO)
HALVES = {"bfloat16": "bf16", "float16": "fp16"}
"""Types of weights by the precision that they stand for, the coarser first."""
WORST_SHOWN, NAMES_SHOWN = 10, 3


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """What to compare, and on what."""

    reference: Path
    candidate: Path
    runtime: str | None
    """The candidate's, one of `RUNTIMES`; None: ONNX Runtime."""
    precision: str | None
    """In which OpenVINO is to compute; None: fp32."""
    data: Path | None
    limit: int | None
    atol: float | None
    rtol: float | None
    """None: by the precision that the candidate computes in."""
    chart: Path | None
    as_json: bool


def compare_graphs(options: GraphOptions) -> int:
    """Compare and print; the exit code says whether anything was found."""
    import msgspec

    from porter.cli.terminal_progress import TerminalProgress
    from porter.diagnose.conclude import graph_lines
    from porter.diagnose.graph_feeds import feeds_for
    from porter.documents.drawings.depth_axes import depth_chart
    from porter.files.whole import write_whole
    from porter.graphs.nodes import diagnose_graphs
    from porter.graphs.probe import OnnxProbe

    reference = OnnxProbe.read(options.reference)
    candidate = _candidate(options)
    with TerminalProgress() as progress:
        feeds, how = feeds_for(reference.graph.model, options.data, options.limit or 1)
        progress.note(how)
        bound = _bound(options, reference, candidate)
        progress.note(f"relative tolerance {bound.tolerance.rtol:.3g}: {bound.source}")
        found = diagnose_graphs(reference, candidate, feeds, tolerance=bound.tolerance, progress=progress)
    if options.chart is not None:
        write_whole(options.chart, depth_chart(found))
    lines = graph_lines(found)
    if options.as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo("\n".join(map(one_line, lines)) or "no node differs beyond the tolerance")
        show_graph(found)
    return int(ExitCode.VERDICT_FAILED if lines else ExitCode.OK)


def show_graph(graph: GraphDiagnosis) -> None:
    """The nodes that add most error, the final outputs, and what bears on both."""
    added = {entry.depth: entry.introduced_error for entry in graph.profile}
    for rank, one in enumerate(graph.worst[:WORST_SHOWN], start=1):
        size = _added(one, added.get(one.depth))
        click.echo(f"    {rank:2}. adds {size}: {one.op_type} {one_line(one.name)} {one_line(one.module)}".rstrip())
    for output in graph.outputs:
        error = output.error.relative_error
        size = f"relative error {error:.3g}" if error is not None else output.error.problem or "reference all zero"
        click.echo(f"    output {one_line(output.output)}: {one_line(size)}")
    alone = graph.match.only_in_reference
    if alone.count:
        names = ", ".join(alone.names[:NAMES_SHOWN]) + (", …" if alone.count > NAMES_SHOWN else "")
        click.echo(f"    not compared: {alone.count} tensors that the candidate does not give: {one_line(names)}")
    for note in graph.notes:
        click.echo(f"    note: {one_line(note)}")


def _candidate(options: GraphOptions) -> Probe:
    from porter.graphs.openvino import OpenVinoProbe
    from porter.graphs.probe import OnnxProbe

    if options.runtime == OPENVINO:
        return OpenVinoProbe(options.candidate, options.precision or "fp32")
    if options.precision is not None:
        raise BadInput(
            "--candidate-precision: ONNX Runtime runs a graph in the types that it is written in; "
            f"give --candidate-runtime {OPENVINO} as well"
        )
    return OnnxProbe.read(options.candidate)


def _bound(options: GraphOptions, reference: OnnxProbe, candidate: Probe) -> Bound:
    """As parity has it, for the precision asked for, or else that of the candidate's weights."""
    from porter.graphs.values import type_name
    from porter.pipeline.judge.tolerance import bound_for
    from porter.records.precision import PRECISIONS
    from porter.records.request import RunRequest

    graph = candidate.graph
    stored = {type_name(tensor.data_type) for tensor in graph.constants.values()} if graph else set()
    precision = options.precision or next((short for long, short in HALVES.items() if long in stored), "fp32")
    request = RunRequest(model="", atol=options.atol, rtol=options.rtol)
    return bound_for(request, PRECISIONS[precision], Counter(node.op_type for node in reference.graph.nodes))


def _added(one: NodeFinding, introduced: float | None) -> str:
    if introduced is not None:
        return f"{introduced:.3g}"
    return one_line((one.alone or one.error).problem) or "values where the reference is all zero"
