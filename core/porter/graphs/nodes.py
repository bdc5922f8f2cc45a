"""Two graphs on the same tensors: the first node that differs, and the nodes that add most error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from porter.contracts.probe import Probe
from porter.contracts.progress import Progress
from porter.errors import BadInput
from porter.graphs.candidates import Feeds, GraphSource, ProbeSource, Source, final_outputs
from porter.graphs.compared import Compared
from porter.graphs.feeds import bind, carry_over
from porter.graphs.findings import Findings
from porter.graphs.graph import Graph
from porter.graphs.matching import Matching, describe, match_graphs, match_names
from porter.graphs.onnx_probe import OnnxProbe
from porter.graphs.outputs import check_optimisation, compare_outputs, fetched_apart
from porter.graphs.static import static_differences
from porter.graphs.values import OrtValue, to_array
from porter.graphs.walk import Lane, Walk
from porter.records.diagnosis import STATIC_LIMIT, GraphDiagnosis
from porter.records.parity import Tolerance

BUDGET_BYTES = 256 << 20
COPIES = 3
"""Of each tensor in a group: the reference's, the candidate's, and the candidate's node alone."""


def diagnose_graphs(
    reference: OnnxProbe,
    candidate: Probe,
    feeds: Feeds,
    *,
    behind: Graph | None = None,
    candidate_feeds: Feeds | None = None,
    tolerance: Tolerance | None = None,
    rounding: float = 0.0,
    budget_bytes: int = BUDGET_BYTES,
    progress: Progress | None = None,
) -> GraphDiagnosis:
    """Run both on every feed and compare each tensor that both compute.

    The reference is walked in topological order, node by node. `feeds` are arrays by input name; `candidate_feeds`
    are the candidate's own, in the same order, where its inputs differ by more than their names. `behind` is the ONNX
    graph that a candidate of another runtime was made from; without it tensors go by their names alone. `rounding` is
    the share of a weight's largest value that the candidate's own quantiser explains. `budget_bytes` bounds the tensors
    that await comparison; beside them lie both models' weights and the tensors in flight.

    Raises `BadInput` where the reference cannot be run on a feed, where a feed does not fit, or where the graphs have
    no tensor in common. A candidate that fails on the way is a finding.
    """
    progress, tolerance = progress or Progress(), tolerance or Tolerance()
    if not feeds:
        raise BadInput("nothing to compare the graphs on: at least one feed is needed")
    if candidate_feeds is not None and len(candidate_feeds) != len(feeds):
        raise BadInput(f"{len(feeds)} feeds for the reference, {len(candidate_feeds)} for the candidate")
    if budget_bytes <= 0:
        raise BadInput(f"the memory budget must be positive, not {budget_bytes}")
    lanes = [Lane(bind(reference.graph, feed)) for feed in feeds]
    graph = candidate.graph if isinstance(candidate, OnnxProbe) else behind
    plan = _plan(reference, candidate, graph, feeds, candidate_feeds)
    compared = _compare(reference, plan, lanes, tolerance, budget_bytes, progress)
    static = static_differences(reference.graph, graph, plan.match, rounding=rounding) if graph else []
    findings = Findings(reference.graph, graph, plan.match, compared)
    others = plan.source.outputs()
    sides = [("reference", reference, feeds, compared.outputs), ("candidate", candidate, plan.feeds, others)]
    checks = []
    with progress.step("optimised graphs, run whole", len(sides), "graphs") as advance:
        for side, probe, fed, plain in sides:
            if isinstance(probe, OnnxProbe) and not probe.rounded:
                checks.append(check_optimisation(side, probe, fed, plain, tolerance))
            advance(1)
    finals = candidate.graph.outputs if isinstance(candidate, OnnxProbe) else None
    outputs = compare_outputs(reference.graph, compared, plan.match, others, finals, tolerance)
    apart = fetched_apart(outputs, compared)
    return GraphDiagnosis(
        reference=reference.label,
        candidate=candidate.label,
        feeds=len(feeds),
        tolerance=tolerance,
        match=describe(plan.match, reference.graph, graph or candidate.names()),
        static=tuple(static[:STATIC_LIMIT]),
        static_total=len(static),
        failures=tuple(plan.source.failures),
        first=findings.first(),
        first_nan=next(iter(compared.nan()), ""),
        first_change=findings.first_change(),
        worst=findings.worst(),
        introduced_by=findings.introduced_by,
        profile=findings.profile(),
        outputs=outputs,
        optimisation=tuple(checks),
        groups=compared.groups,
        notes=(*plan.notes, *dict.fromkeys((*reference.notes(), *candidate.notes())), *compared.notes(), *apart),
    )


@dataclass(frozen=True)
class _Plan:
    match: Matching
    source: Source
    feeds: Feeds
    """The candidate's."""
    notes: Sequence[str]


def _plan(
    reference: OnnxProbe, candidate: Probe, graph: Graph | None, feeds: Feeds, candidate_feeds: Feeds | None
) -> _Plan:
    notes = list[str]()
    if graph is None:
        match = match_names(reference.graph, candidate.label, candidate.names())
        candidate_feeds = candidate_feeds or feeds
    else:
        match = match_graphs(reference.graph, graph, candidate.names())
        if candidate_feeds is None:
            candidate_feeds, notes = carry_over(reference.graph, graph, feeds)
    if isinstance(candidate, OnnxProbe):
        return _Plan(match, GraphSource(candidate, match, candidate_feeds), candidate_feeds, notes)
    finals = [match.tensors[name] for name in reference.graph.outputs if name in match.tensors]
    return _Plan(match, ProbeSource(candidate, candidate_feeds, finals), candidate_feeds, notes)


def _compare(
    reference: OnnxProbe,
    plan: _Plan,
    lanes: Sequence[Lane],
    tolerance: Tolerance,
    budget_bytes: int,
    progress: Progress,
) -> Compared:
    """Walk the reference, and hold groups of its tensors against the candidate's."""
    graph, match = reference.graph, plan.match
    walk = reference.walk(lanes, {*match.tensors, *graph.outputs})
    compared = Compared(tolerance)
    pending: list[str] = []
    held = 0
    with progress.step("comparing node by node", len(graph.nodes), "nodes") as advance:
        for index in range(len(graph.nodes)):
            walk.run(index)
            if walk.failures:
                raise BadInput(f"{graph.label}: {walk.failures[index]}")
            fresh = [name for name in graph.written(index) if name in match.tensors]
            size = COPIES * sum(_bytes(lane.results[name]) for lane in lanes for name in fresh)
            if pending and held + size > budget_bytes:
                _flush(compared, plan, walk, pending)
                pending, held = [], 0
            pending, held = pending + fresh, held + size
            advance(1)
        _flush(compared, plan, walk, pending)
    compared.outputs = [final_outputs(lane, graph.outputs) for lane in lanes]
    return compared


def _flush(compared: Compared, plan: _Plan, walk: Walk, names: Sequence[str]) -> None:
    """Fetch one group from the candidate, compare it and let go of it."""
    others = plan.match.tensors
    plan.source.fetch({others[name]: [lane.results[name] for lane in walk.lanes] for name in names})
    for name in names:
        for feed, lane in enumerate(walk.lanes):
            own, alone = plan.source.own(others[name], feed), plan.source.alone(others[name], feed)
            compared.add(name, to_array(lane.results[name]), own, alone)
    compared.groups += 1
    walk.forget([name for name in names if name not in walk.graph.outputs])


def _bytes(value: OrtValue) -> int:
    return int(value.tensor_size_in_bytes()) if value.is_tensor() else 0
