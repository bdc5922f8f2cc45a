"""`porter diagnose graphs`: two graphs, or a graph and what another runtime makes of one."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from porter.cli.headed_help import HeadedCommand
from porter.cli.options import options
from porter.cli.plugin_files import open_registry
from porter.errors import BadInput, ExitCode, one_line
from porter.files.outward import say, say_json
from porter.runfolder.option_table import GRAPHS

if TYPE_CHECKING:
    from porter.contracts.runtime import ProbeRequest, Runtime
    from porter.graphs.graph import Graph
    from porter.graphs.onnx_probe import OnnxProbe
    from porter.hosting.registry import Registry
    from porter.pipeline.judge.tolerance import Bound
    from porter.records.diagnosis import GraphDiagnosis
    from porter.records.request import RunRequest

DEFAULT_RUNTIME = "onnxruntime"
HALVES = {"bfloat16": "bf16", "float16": "fp16"}
"""Types of weights by the precision that they stand for, the coarser first."""
WORST_SHOWN, NAMES_SHOWN = 10, 3
_FILE = click.Path(path_type=Path)


@click.command(cls=HeadedCommand)
@click.option("--reference", type=_FILE, required=True, metavar="ONNX", help="ONNX file of the reference.")
@click.option(
    "--candidate", type=_FILE, required=True, metavar="ONNX", help="ONNX file of the candidate; may be the same file."
)
@click.option("--candidate-runtime", metavar="NAME", help=f"Runtime of the candidate [default: {DEFAULT_RUNTIME}].")
@click.option(
    "--candidate-precision", metavar="NAME", help="Data type of the candidate [default: the runtime's own, fp32]."
)
@options(GRAPHS)
@click.option("--data", type=_FILE, metavar="DIR", help="Folder of images to use as input [default: random values].")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Batch size [default: 1].")
@click.option("--chart", type=_FILE, metavar="SVG", help="SVG file for a chart of error by layer depth.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def graphs(**given: Any) -> int:
    """Compare two ONNX files node by node.

    The same tensors go through both, and every inner tensor that both compute is compared. The reference runs in ONNX
    Runtime, the candidate in any installed runtime that provides inner values. Both may be the same file, if only the
    runtimes differ.

    The exit code is 1 if a difference was found, otherwise 0.
    """
    return compare_graphs(GraphOptions(**given))


@dataclass(frozen=True, kw_only=True)
class GraphOptions:
    """What to compare, and on what."""

    reference: Path
    candidate: Path
    candidate_runtime: str | None
    """None: `DEFAULT_RUNTIME`."""
    candidate_precision: str | None
    """None: the runtime's own."""
    targets: tuple[str, ...]
    options: tuple[str, ...]
    """As `porter run` takes both."""
    data: Path | None
    limit: int | None
    atol: float | None
    rtol: float | None
    """None: by the precision that the candidate computes in."""
    chart: Path | None
    as_json: bool

    @property
    def request(self) -> RunRequest:
        """The part that a run has as well."""
        from porter.records.request import RunRequest

        return RunRequest(model="", targets=self.targets, options=self.options, atol=self.atol, rtol=self.rtol)


def compare_graphs(asked: GraphOptions) -> int:
    """Compare and print; the exit code says whether anything was found."""

    from porter.cli.terminal_progress import TerminalProgress
    from porter.diagnose.graph_feeds import feeds_for
    from porter.diagnose.graph_findings import graph_lines
    from porter.diagnose.probing import open_probe, require_probing
    from porter.documents.drawings.depth_axes import depth_chart
    from porter.files.whole import write_whole
    from porter.graphs.nodes import diagnose_graphs
    from porter.graphs.onnx_probe import OnnxProbe

    registry, name = open_registry(), asked.candidate_runtime or DEFAULT_RUNTIME
    require_probing(registry, name)
    runtime = registry.runtime(name)
    request = _probe_request(asked, runtime, registry)
    reference = OnnxProbe.read(asked.reference)
    candidate, behind = open_probe(registry, name, request)
    with closing(candidate), TerminalProgress() as progress:
        feeds, how = feeds_for(reference.graph.model, asked.data, asked.limit or 1)
        progress.note(how)
        bound = _bound(asked, runtime, reference, behind)
        progress.note(f"relative tolerance {bound.tolerance.rtol:.3g}: {bound.source}")
        found = diagnose_graphs(
            reference, candidate, feeds, behind=behind, tolerance=bound.tolerance, progress=progress
        )
    if asked.chart is not None:
        write_whole(asked.chart, depth_chart(found))
    lines = graph_lines(found)
    if asked.as_json:
        say_json(found)
    else:
        say(*(map(one_line, lines) if lines else ["no node differs by more than the tolerance"]))
        show_graph(found)
    return int(ExitCode.VERDICT_FAILED if lines else ExitCode.OK)


def show_graph(graph: GraphDiagnosis) -> None:
    """The nodes that add most error, the final outputs, and what bears on both."""
    for rank, node in enumerate(graph.worst[:WORST_SHOWN], start=1):
        size = "values where the reference is all zero"
        if node.introduced_error is not None:
            size = f"{node.introduced_error:.3g}"
        elif problem := (node.alone or node.error).problem:
            size = one_line(problem)
        say(f"    {rank:2}. adds {size}: {node.op_type} {one_line(node.name)} {one_line(node.module)}".rstrip())
    for output in graph.outputs:
        error = output.error.relative_error
        size = f"relative error {error:.3g}" if error is not None else output.error.problem or "reference all zero"
        say(f"    output {one_line(output.output)}: {one_line(size)}")
    alone = graph.match.only_in_reference
    if alone.count:
        names = ", ".join(alone.names[:NAMES_SHOWN]) + (", …" if alone.count > NAMES_SHOWN else "")
        say(f"    not compared: {alone.count} tensors that the candidate does not provide: {one_line(names)}")
    for note in graph.notes:
        say(f"    note: {one_line(note)}")


def _probe_request(asked: GraphOptions, runtime: Runtime, registry: Registry) -> ProbeRequest:
    """Raises `BadInput` or `Missing` where the runtime cannot do what is asked for."""
    from porter.contracts.runtime import ProbeRequest
    from porter.machine.host import usable_threads
    from porter.pipeline.job.chips import require_chips_known, require_chips_used
    from porter.pipeline.job.runtime_options import options_of, require_known
    from porter.pipeline.job.targets import require_target

    precision = asked.candidate_precision or runtime.own_precision
    _require_precision(precision, runtime, registry)
    require_known(asked.options, [runtime])
    require_chips_known(asked.targets, [runtime])
    chip = require_target(runtime, precision, asked.request, registry)
    require_chips_used(asked.targets, {runtime.name: chip})
    return ProbeRequest(
        onnx=asked.candidate,
        precision=precision,
        threads=usable_threads(),
        target=chip,
        options=options_of(runtime, asked.options),
    )


def _require_precision(precision: str, runtime: Runtime, registry: Registry) -> None:
    from porter.diagnose.probing import probing

    status = registry.status(runtime.name)
    if not status.available or precision in status.precisions:
        return
    having = [name for name in probing(registry) if precision in registry.status(name).precisions]
    way_out = f"use --candidate-runtime {' or '.join(having)}" if having else "no runtime on this machine can do this"
    raise BadInput(
        f"--candidate-precision {one_line(precision)}: {runtime.name} has {', '.join(status.precisions)} "
        f"on this machine; {way_out}"
    )


def _bound(asked: GraphOptions, runtime: Runtime, reference: OnnxProbe, candidate: Graph) -> Bound:
    """As parity has it, for the precision asked for, or else that of the candidate's weights."""
    from porter.graphs.values import type_name
    from porter.pipeline.judge.tolerance import bound_for
    from porter.records.precision import FP32, PRECISIONS, table_with

    stored = {type_name(tensor.data_type) for tensor in candidate.constants.values()}
    halves = next((short for long, short in HALVES.items() if long in stored), runtime.own_precision)
    known = table_with(runtime.precisions)
    precision = known.get(asked.candidate_precision or halves, PRECISIONS[FP32])
    return bound_for(asked.request, precision, Counter(node.op_type for node in reference.graph.nodes))
