"""The conclusion: which of weights, preprocessing, labels, model and runtime the evidence points at."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.diagnosed import SameTensors
from porter.records.diagnosis import GraphDiagnosis, NodeFinding, OptimisationCheck, StaticDifference
from porter.records.run import RunRecord
from porter.records.suspects import LabelFinding, PreprocessFinding

NOTHING = "nothing was found: weights, preprocessing, labels, model and runtime agree with what they should be"
STATIC_SHOWN, NODES_SHOWN = 5, 4


def conclude(
    record: RunRecord,
    forms: Sequence[SameTensors],
    preprocessing: PreprocessFinding,
    labels: Sequence[LabelFinding],
    graphs: Sequence[GraphDiagnosis],
) -> tuple[str, ...]:
    """One line a finding, in the order of the data: weights, preprocessing, model and runtime, labels."""
    lines = []
    if record.load is not None and record.load.skipped:
        lines.append(f"weights: {len(record.load.skipped)} entries of the checkpoint have no place in the model")
    if not preprocessing.identical:
        why = " or ".join(one.title for one in preprocessing.explanations) or "no suspect explains it"
        lines.append(f"preprocessing: {preprocessing.differing} of {preprocessing.images} images differ: {why}")
    for graph in graphs:
        lines += graph_lines(graph)
    lines += [
        f"model: {form.name} gives NaN or infinite outputs on {form.nonfinite} of {form.images} images"
        for form in forms
        if form.nonfinite
    ]
    lines += [f"model or runtime: {form.name} cannot be run: {form.problem}" for form in forms if form.problem]
    flips = [(form.name, form.changes) for form in forms if form.changes is not None and form.changes.flipped]
    lines += [f"model or runtime: {name} changes {c.flipped} of {c.images} answers" for name, c in flips]
    lines += [
        f"labels: {one.title}: {one.accuracy:.2f} percent instead of {100 * one.hits_now / one.count:.2f}"
        for one in labels
    ]
    if not lines and any(evaluation.chance for evaluation in record.evaluations):
        lines.append(
            "weights: every form of the model answers alike, and near chance: the weights are untrained, "
            "the labels belong to other images or classes, or the images are too few"
        )
    return tuple(lines)


def graph_lines(graph: GraphDiagnosis) -> list[str]:
    """The first node that differs, the differences that show in the files, and faults of the runtime."""
    lines = []
    if graph.first_nan:
        lines.append(f"model: {graph.reference} itself has NaN, first in {graph.first_nan}")
    if graph.first is not None:
        side = "model or runtime" if graph.introduced_by == "growth" else "model"
        where = _node(graph.first) + _on_the_way(graph, graph.first)
        lines.append(f"{side}: {graph.candidate} leaves {graph.reference} first at {where}")
    static = _static_lines(graph)
    if (graph.first is not None or static) and graph.outputs and not any(out.error.exceeds for out in graph.outputs):
        lines.append(f"model: the outputs of {graph.candidate} stay within the tolerance all the same")
    lines += static
    lines += [f"runtime: {graph.candidate}: {failure}" for failure in graph.failures]
    lines += [
        f"runtime: the optimised {check.side} graph differs from the same graph node by node {check.problem}".strip()
        for check in graph.optimisation
        if not check.passed and not _rounds(check)
    ]
    return lines


def _static_lines(graph: GraphDiagnosis) -> list[str]:
    """What differs in the files. One change made to many nodes is one line, and of many changes the first are shown."""
    alike: dict[tuple[str, ...], list[StaticDifference]] = {}
    for one in graph.static:
        if one.kind != "storage":
            where = one.op_type if one.kind in ("attribute", "operator") else one.node
            alike.setdefault((one.kind, where, one.what, one.reference, one.candidate), []).append(one)
        elif graph.first is not None:  # the same values in another type explain a difference, and are none
            alike[one.kind, one.what, one.reference, one.candidate] = [one]
    lines = [f"model: {graph.candidate}: {_static(found)}" for found in list(alike.values())[:STATIC_SHOWN]]
    rest = len(alike) - STATIC_SHOWN + graph.static_total - len(graph.static)
    return lines if rest <= 0 else [*lines, f"model: {graph.candidate}: {rest} more differences show in the files"]


def _static(found: Sequence[StaticDifference]) -> str:
    first, *more = found
    if first.kind == "storage":
        return f"{first.what}: kept as {first.candidate}, not {first.reference}"
    what = first.kind if first.what == first.kind else f"{first.kind} {first.what}"
    others = f" and of {len(more)} more {first.op_type} nodes" if more else ""
    return f"{what} of {first.node or 'the graph'}{others} is {first.candidate}, not {first.reference}"


def _rounds(check: OptimisationCheck) -> bool:
    """Whether rounding at other places may be all that the check found."""
    return check.reduced and not check.problem and not any(out.error.problem for out in check.outputs)


def _node(finding: NodeFinding) -> str:
    module = f", module {finding.module}" if finding.module else ""
    error = finding.error.relative_error
    size = finding.error.problem if error is None else f"relative error {error:.3g}"
    return f"{finding.op_type} {finding.name!r}{module} ({size or 'not comparable'})"


def _on_the_way(graph: GraphDiagnosis, finding: NodeFinding) -> str:
    """Nodes that only one side runs to get there, where one runs more than the other: one was removed, or added."""
    mine, theirs = finding.nodes, finding.candidate_nodes
    if not theirs or len(mine) == len(theirs) or graph.match.dequantised:  # quantising adds nodes everywhere
        return ""
    longer, shorter, who = (
        (mine, theirs, graph.reference) if len(mine) > len(theirs) else (theirs, mine, graph.candidate)
    )
    only = [name for name in longer if name not in shorter]
    more = f" and {len(only) - NODES_SHOWN} more" if len(only) > NODES_SHOWN else ""
    return f"; only {who} gets there through {', '.join(only[:NODES_SHOWN])}{more}"
