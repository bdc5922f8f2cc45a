"""The conclusion: which of weights, preprocessing, labels, model and runtime the evidence points at."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.diagnosed import SameTensors
from porter.records.diagnosis import GraphDiagnosis, NodeFinding
from porter.records.run import RunRecord
from porter.records.suspects import LabelFinding, PreprocessFinding

NOTHING = "nothing was found: weights, preprocessing, labels, model and runtime agree with what they should be"


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
    lines += [f"model or runtime: {form.name} cannot be run: {form.problem}" for form in forms if form.problem]
    flips = [(form.name, form.changes) for form in forms if form.changes is not None and form.changes.flipped]
    lines += [f"model or runtime: {name} changes {c.flipped} of {c.images} answers" for name, c in flips]
    lines += [
        f"labels: {one.title}: {one.accuracy:.2f} percent instead of {100 * one.hits_now / one.count:.2f}"
        for one in labels
    ]
    if not lines and any(evaluation.chance for evaluation in record.evaluations):
        lines.append("weights: every form of the model answers alike, and near chance: the weights are untrained")
    return tuple(lines)


def graph_lines(graph: GraphDiagnosis) -> list[str]:
    """The first node that differs, the differences that show in the files, and faults of the runtime."""
    lines = []
    if graph.first is not None:
        lines.append(f"model: {graph.candidate} leaves {graph.reference} first at {_node(graph.first)}")
    for one in graph.static:
        if one.kind != "storage":
            lines.append(
                f"model: {graph.candidate}: {one.kind} {one.what} of {one.node or 'the graph'} "
                f"is {one.candidate}, not {one.reference}"
            )
    lines += [f"runtime: {graph.candidate}: {failure}" for failure in graph.failures]
    lines += [
        f"runtime: the optimised {check.side} graph differs from the same graph node by node {check.problem}".strip()
        for check in graph.optimisation
        if not check.passed
    ]
    return lines


def _node(finding: NodeFinding) -> str:
    module = f", module {finding.module}" if finding.module else ""
    error = finding.error.relative_error
    size = finding.error.problem if error is None else f"relative error {error:.3g}"
    return f"{finding.op_type} {finding.name!r}{module} ({size or 'not comparable'})"
