"""What a comparison of two graphs comes down to, in a few lines."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from porter.records.diagnosis import GraphDiagnosis, NodeFinding, OptimisationCheck, StaticDifference
from porter.records.message import Message, Text, Value

STATIC_SHOWN, NODES_SHOWN = 5, 4
FORMS = {"reference": Message("the reference"), "exported afresh": Message("the re-exported model")}
"""What sentences call the forms of a model that are no artefact, by their name in the record."""


class LineKind(enum.Enum):
    """What a line of a graph is about."""

    NAN = "nan"
    NODE = "node"
    WITHIN = "within"
    FILE = "file"
    STORED = "stored"
    REFUSED = "refused"
    OPTIMISED = "optimised"


def graph_lines(graph: GraphDiagnosis) -> list[Message]:
    """The first node that differs, the differences that show in the files, and faults of the runtime."""
    return [line for _, line in graph_findings(graph)]


def graph_findings(graph: GraphDiagnosis) -> Iterator[tuple[LineKind, Message]]:
    """The same lines, each with what it is about."""
    if graph.first_nan:
        yield (
            LineKind.NAN,
            Message(
                "model: {reference} itself contains NaN, first in {tensor}",
                reference=form_name(graph.reference),
                tensor=graph.first_nan,
            ),
        )
    if graph.first is not None:
        yield LineKind.NODE, _leaves(graph, graph.first)
    static = _static_lines(graph)
    if (graph.first is not None or static) and graph.outputs and not any(out.error.exceeds for out in graph.outputs):
        yield (
            LineKind.WITHIN,
            Message(
                "model: the outputs of {candidate} are within tolerance nevertheless",
                candidate=form_name(graph.candidate),
            ),
        )
    for line, stored in static:
        yield (LineKind.STORED if stored else LineKind.FILE), line
    for failure in graph.failures:
        line = Message("runtime: {candidate}: {failure}", candidate=form_name(graph.candidate), failure=failure)
        yield LineKind.REFUSED, line
    for check in graph.optimisation:
        if not check.passed and not _rounds(check):
            yield LineKind.OPTIMISED, _optimised(check)


def _static_lines(graph: GraphDiagnosis) -> list[tuple[Message, bool]]:
    """What differs in the files, and whether only the type does that the same values are kept in.

    One change made to many nodes is one line, and of many changes the first are shown.
    """
    alike: dict[tuple[str, ...], list[StaticDifference]] = {}
    for one in graph.static:
        if one.kind != "storage":
            where = one.op_type if one.kind in ("attribute", "operator") else one.node
            alike.setdefault((one.kind, where, one.what, one.reference, one.candidate), []).append(one)
        elif graph.first is not None:  # the same values in another type explain a difference, and are none
            alike[one.kind, one.what, one.reference, one.candidate] = [one]
    candidate = form_name(graph.candidate)
    lines = [
        (
            Message("model: {candidate}: {difference}", candidate=candidate, difference=_static(found)),
            found[0].kind == "storage",
        )
        for found in list(alike.values())[:STATIC_SHOWN]
    ]
    rest = len(alike) - STATIC_SHOWN + graph.static_total - len(graph.static)
    if rest <= 0:
        return lines
    return [
        *lines,
        (
            Message("model: {candidate}: the files differ in {rest} more places", candidate=candidate, rest=rest),
            False,
        ),
    ]


def _static(found: Sequence[StaticDifference]) -> Message:
    first, *more = found
    values: dict[str, Value] = {"candidate": first.candidate, "reference": first.reference}
    if first.kind == "storage":
        return Message("{what} is stored as {candidate}, should be {reference}", what=first.what, **values)
    values["what"] = first.kind if first.what == first.kind else f"{first.kind} {first.what}"
    if more:
        return Message(
            "{what} of {node} and {count} more {operator} nodes is {candidate}, should be {reference}",
            node=first.node or Message("the graph"),
            count=len(more),
            operator=first.op_type,
            **values,
        )
    return Message(
        "{what} of {node} is {candidate}, should be {reference}",
        node=first.node or Message("the graph"),
        **values,
    )


def _optimised(check: OptimisationCheck) -> Message:
    side = Message("reference") if check.side == "reference" else Message("candidate")
    if check.problem:
        return Message("runtime: the optimised {side} graph fails to run: {problem}", side=side, problem=check.problem)
    return Message("runtime: the optimised {side} graph differs from the same graph run node by node", side=side)


def form_name(name: str) -> Text:
    """A form of the model as a sentence calls it; artefacts by their id."""
    return FORMS.get(name, name)


def _rounds(check: OptimisationCheck) -> bool:
    """Whether rounding at other places may be all that the check found."""
    return check.reduced and not check.problem and not any(out.error.problem for out in check.outputs)


def _leaves(graph: GraphDiagnosis, first: NodeFinding) -> Message:
    """Where the candidate leaves the reference, and through what only one of the two gets there."""
    values: dict[str, Value] = {
        "candidate": form_name(graph.candidate),
        "reference": form_name(graph.reference),
        "node": _node(first),
    }
    blamed = "model or runtime" if graph.introduced_by == "growth" else "model"
    detour = _on_the_way(graph, first)
    if blamed == "model" and detour is None:
        return Message("model: {candidate} first differs from {reference} at {node}", **values)
    if blamed == "model":
        return Message("model: {candidate} first differs from {reference} at {node}; {detour}", **values, detour=detour)
    if detour is None:
        return Message("model or runtime: {candidate} first differs from {reference} at {node}", **values)
    return Message(
        "model or runtime: {candidate} first differs from {reference} at {node}; {detour}", **values, detour=detour
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
    values: dict[str, Value] = {"form": form_name(who), "nodes": ", ".join(only[:NODES_SHOWN])}
    if len(only) <= NODES_SHOWN:
        return Message("only {form} passes through {nodes} on the way", **values)
    return Message(
        "only {form} passes through {nodes} and {rest} more nodes on the way", rest=len(only) - NODES_SHOWN, **values
    )
