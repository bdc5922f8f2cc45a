"""The conclusion: which of weights, preprocessing, labels, model and runtime the evidence points at."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from porter.records.diagnosed import SameTensors
from porter.records.diagnosis import GraphDiagnosis, NodeFinding, OptimisationCheck, StaticDifference
from porter.records.message import Message, Text, Value
from porter.records.record import RunRecord
from porter.records.suspects import Explanation, LabelFinding, PreprocessFinding

NOTHING = Message("nothing was found: weights, preprocessing, labels, model and runtime agree with what they should be")
STATIC_SHOWN, NODES_SHOWN = 5, 4
FORMS = {"reference": Message("the reference"), "exported afresh": Message("the model exported afresh")}
"""What sentences call the forms of a model that are no artefact, by their name in the record."""


def conclude(
    record: RunRecord,
    forms: Sequence[SameTensors],
    preprocessing: PreprocessFinding,
    labels: Sequence[LabelFinding],
    graphs: Sequence[GraphDiagnosis],
) -> tuple[Message, ...]:
    """One line a finding, in the order of the data: weights, preprocessing, model and runtime, labels."""
    lines: list[Message] = []
    if record.load is not None and record.load.skipped:
        count = len(record.load.skipped)
        lines.append(Message("weights: {count} entries of the checkpoint have no place in the model", count=count))
    if not preprocessing.identical:
        lines.append(
            Message(
                "preprocessing: {differing} of {images} images differ: {why}",
                differing=preprocessing.differing,
                images=preprocessing.images,
                why=_either(preprocessing.explanations),
            )
        )
    for graph in graphs:
        lines += graph_lines(graph)
    lines += [
        Message(
            "model: {form} gives NaN or infinite outputs on {nonfinite} of {images} images",
            form=_form(form.name),
            nonfinite=form.nonfinite,
            images=form.images,
        )
        for form in forms
        if form.nonfinite
    ]
    lines += [
        Message("model or runtime: {form} cannot be run: {problem}", form=_form(form.name), problem=form.problem)
        for form in forms
        if form.problem
    ]
    flips = [(form.name, form.changes) for form in forms if form.changes is not None and form.changes.flipped]
    lines += [
        Message(
            "model or runtime: {form} changes {flipped} of {images} answers",
            form=_form(name),
            flipped=changes.flipped,
            images=changes.images,
        )
        for name, changes in flips
    ]
    lines += [
        Message(
            "labels: {fault}: {accuracy:.2f} percent instead of {now:.2f}",
            fault=one.title,
            accuracy=one.accuracy,
            now=100 * one.hits_now / one.count,
        )
        for one in labels
    ]
    if not lines and any(evaluation.chance for evaluation in record.evaluations):
        lines.append(
            Message(
                "weights: every form of the model answers alike, and near chance: the weights are untrained, "
                "the labels belong to other images or classes, or the images are too few"
            )
        )
    return tuple(lines)


def graph_lines(graph: GraphDiagnosis) -> list[Message]:
    """The first node that differs, the differences that show in the files, and faults of the runtime."""
    lines = []
    if graph.first_nan:
        lines.append(
            Message(
                "model: {reference} itself has NaN, first in {tensor}",
                reference=_form(graph.reference),
                tensor=graph.first_nan,
            )
        )
    if graph.first is not None:
        lines.append(_leaves(graph, graph.first))
    static = _static_lines(graph)
    if (graph.first is not None or static) and graph.outputs and not any(out.error.exceeds for out in graph.outputs):
        lines.append(
            Message(
                "model: the outputs of {candidate} stay within the tolerance all the same",
                candidate=_form(graph.candidate),
            )
        )
    lines += static
    lines += [
        Message("runtime: {candidate}: {failure}", candidate=_form(graph.candidate), failure=failure)
        for failure in graph.failures
    ]
    lines += [_optimised(check) for check in graph.optimisation if not check.passed and not _rounds(check)]
    return lines


def _static_lines(graph: GraphDiagnosis) -> list[Message]:
    """What differs in the files. One change made to many nodes is one line, and of many changes the first are shown."""
    alike: dict[tuple[str, ...], list[StaticDifference]] = {}
    for one in graph.static:
        if one.kind != "storage":
            where = one.op_type if one.kind in ("attribute", "operator") else one.node
            alike.setdefault((one.kind, where, one.what, one.reference, one.candidate), []).append(one)
        elif graph.first is not None:  # the same values in another type explain a difference, and are none
            alike[one.kind, one.what, one.reference, one.candidate] = [one]
    candidate = _form(graph.candidate)
    lines = [
        Message("model: {candidate}: {difference}", candidate=candidate, difference=_static(found))
        for found in list(alike.values())[:STATIC_SHOWN]
    ]
    rest = len(alike) - STATIC_SHOWN + graph.static_total - len(graph.static)
    if rest <= 0:
        return lines
    return [
        *lines,
        Message("model: {candidate}: {rest} more differences show in the files", candidate=candidate, rest=rest),
    ]


def _static(found: Sequence[StaticDifference]) -> Message:
    first, *more = found
    values: dict[str, Value] = {"candidate": first.candidate, "reference": first.reference}
    if first.kind == "storage":
        return Message("{what}: kept as {candidate}, not {reference}", what=first.what, **values)
    values["what"] = first.kind if first.what == first.kind else f"{first.kind} {first.what}"
    if more:
        return Message(
            "{what} of {node} and of {count} more {operator} nodes is {candidate}, not {reference}",
            node=first.node or Message("the graph"),
            count=len(more),
            operator=first.op_type,
            **values,
        )
    return Message(
        "{what} of {node} is {candidate}, not {reference}", node=first.node or Message("the graph"), **values
    )


def _optimised(check: OptimisationCheck) -> Message:
    side = Message("reference") if check.side == "reference" else Message("candidate")
    if check.problem:
        return Message("runtime: the optimised {side} graph cannot be run: {problem}", side=side, problem=check.problem)
    return Message("runtime: the optimised {side} graph differs from the same graph node by node", side=side)


def _form(name: str) -> Text:
    """A form of the model as a sentence calls it; artefacts by their id."""
    return FORMS.get(name, name)


def _either(explanations: Sequence[Explanation]) -> Text:
    if not explanations:
        return Message("no suspect explains it")
    first, *more = (one.title for one in explanations)
    return functools.reduce(lambda one, other: Message("{one} or {other}", one=one, other=other), more, first)


def _rounds(check: OptimisationCheck) -> bool:
    """Whether rounding at other places may be all that the check found."""
    return check.reduced and not check.problem and not any(out.error.problem for out in check.outputs)


def _leaves(graph: GraphDiagnosis, first: NodeFinding) -> Message:
    """Where the candidate leaves the reference, and through what only one of the two gets there."""
    values: dict[str, Value] = {
        "candidate": _form(graph.candidate),
        "reference": _form(graph.reference),
        "node": _node(first),
    }
    blamed = "model or runtime" if graph.introduced_by == "growth" else "model"
    detour = _on_the_way(graph, first)
    if blamed == "model" and detour is None:
        return Message("model: {candidate} leaves {reference} first at {node}", **values)
    if blamed == "model":
        return Message("model: {candidate} leaves {reference} first at {node}; {detour}", **values, detour=detour)
    if detour is None:
        return Message("model or runtime: {candidate} leaves {reference} first at {node}", **values)
    return Message(
        "model or runtime: {candidate} leaves {reference} first at {node}; {detour}", **values, detour=detour
    )


def _node(finding: NodeFinding) -> Message:
    error = finding.error
    size: Text = error.problem or Message("not comparable")
    if error.relative_error is not None:
        size = Message("relative error {error:.3g}", error=error.relative_error)
    values: dict[str, Value] = {"operator": finding.op_type, "node": finding.name, "size": size}
    if finding.module:
        return Message("{operator} `{node}`, module {module} ({size})", module=finding.module, **values)
    return Message("{operator} `{node}` ({size})", **values)


def _on_the_way(graph: GraphDiagnosis, finding: NodeFinding) -> Message | None:
    """Nodes that only one side runs to get there, where one runs more than the other: one was removed, or added."""
    mine, theirs = finding.nodes, finding.candidate_nodes
    if not theirs or len(mine) == len(theirs) or graph.match.dequantised:  # quantising adds nodes everywhere
        return None
    longer, shorter, who = (
        (mine, theirs, graph.reference) if len(mine) > len(theirs) else (theirs, mine, graph.candidate)
    )
    only = [name for name in longer if name not in shorter]
    values: dict[str, Value] = {"form": _form(who), "nodes": ", ".join(only[:NODES_SHOWN])}
    if len(only) <= NODES_SHOWN:
        return Message("only {form} gets there through {nodes}", **values)
    return Message("only {form} gets there through {nodes} and {rest} more", rest=len(only) - NODES_SHOWN, **values)
