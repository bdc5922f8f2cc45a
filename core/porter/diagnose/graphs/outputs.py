"""The graphs' final outputs: candidate against reference, and each graph optimised against not optimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter.diagnose.graphs.compared import Compared
from porter.diagnose.graphs.graph import Graph
from porter.diagnose.graphs.matching import Matching
from porter.diagnose.graphs.measure import ErrorMeter
from porter.diagnose.graphs.probe import OnnxProbe
from porter.errors import BadInput, one_line
from porter.records.diagnosis import OptimisationCheck, OutputError
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

    from porter.diagnose.graphs.sources import Feeds


def check_optimisation(
    side: str, probe: OnnxProbe, feeds: Feeds, plain: Sequence[Mapping[str, np.ndarray]], tolerance: Tolerance
) -> OptimisationCheck:
    """The runtime's optimised graph against the outputs of the node-by-node run (`plain`, one mapping for a feed).

    In float32 a difference beyond the tolerance is a fault of an optimisation. With float16, bfloat16 or int8 nodes
    it may be rounding at other places: fused integer kernels, casts left out.
    """
    try:
        optimised = probe.optimised(feeds)
    except BadInput as error:
        return OptimisationCheck(side=side, outputs=(), passed=False, problem=str(error))
    rows = []
    for name in probe.graph.outputs:
        if any(name in outputs for outputs in optimised):
            pairs = zip(plain, optimised, strict=True)
            rows.append(_error(name, [(a.get(name), b.get(name)) for a, b in pairs], tolerance))
    return OptimisationCheck(side=side, outputs=tuple(rows), passed=not any(row.error.exceeds for row in rows))


def compare_outputs(
    reference: Graph,
    compared: Compared,
    match: Matching,
    others: Sequence[Mapping[str, np.ndarray]] | None,
    candidate_outputs: Sequence[str],
    tolerance: Tolerance,
) -> tuple[OutputError, ...]:
    """Every output of the reference. One that was not matched is paired by its name, else by its place.

    `others` are the candidate's outputs for each feed, None where it is no graph.
    """
    rows = []
    for place, name in enumerate(reference.outputs):
        if name in compared.own:
            rows.append(OutputError(output=one_line(name), error=compared.own[name].result()))
        elif others is not None and name in compared.outputs[0]:
            counterpart = _counterpart(reference, candidate_outputs, place, match)
            pairs = zip(compared.outputs, others, strict=True)
            rows.append(_error(name, [(a.get(name), b.get(counterpart)) for a, b in pairs], tolerance))
    return tuple(rows)


def _counterpart(reference: Graph, candidate_outputs: Sequence[str], place: int, match: Matching) -> str:
    name = reference.outputs[place]
    if name in candidate_outputs or len(candidate_outputs) != len(reference.outputs):
        return name
    other = candidate_outputs[place]
    return name if other in match.inverse else other


def _error(
    name: str, pairs: Sequence[tuple[np.ndarray | None, np.ndarray | None]], tolerance: Tolerance
) -> OutputError:
    meter = ErrorMeter(tolerance)
    for a, b in pairs:
        if a is None or b is None:
            meter.fail("this output was not computed")
        else:
            meter.add(a, b)
    return OutputError(output=one_line(name), error=meter.result())
