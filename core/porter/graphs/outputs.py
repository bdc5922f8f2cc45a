"""The graphs' final outputs: candidate against reference, and each graph optimised against not optimised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from porter.errors import BadInput, one_line
from porter.graphs.compared import Compared
from porter.graphs.graph import Graph
from porter.graphs.matching import Matching
from porter.graphs.measure import ErrorMeter
from porter.graphs.onnx_probe import OnnxProbe
from porter.records.diagnosis import OptimisationCheck, OutputError, TensorError
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

    from porter.graphs.candidates import Feeds

QUANTISED = ("QuantizeLinear", "DequantizeLinear", "Integer")
"""Ends of the names of operators that compute in integers or lead there."""


def check_optimisation(
    side: str, probe: OnnxProbe, feeds: Feeds, plain: Sequence[Mapping[str, np.ndarray]], tolerance: Tolerance
) -> OptimisationCheck:
    """The runtime's optimised graph against the outputs of the node-by-node run (`plain`, one mapping for a feed).

    In float32 a difference beyond the tolerance is a fault of an optimisation. With float16, bfloat16 or int8 nodes
    it may be rounding at other places: fused integer kernels, casts left out.
    """
    reduced = _is_reduced(probe.graph)
    try:
        optimised = probe.optimised(feeds)
    except BadInput as error:
        return OptimisationCheck(side=side, outputs=(), passed=False, reduced=reduced, problem=str(error))
    rows = []
    for name in probe.graph.outputs:
        if any(name in outputs for outputs in optimised):
            pairs = zip(plain, optimised, strict=True)
            rows.append(_error(name, [(a.get(name), b.get(name)) for a, b in pairs], tolerance))
    passed = not any(row.error.exceeds for row in rows)
    return OptimisationCheck(side=side, outputs=tuple(rows), passed=passed, reduced=reduced)


def _is_reduced(graph: Graph) -> bool:
    """Whether weights are kept in half precision, or a node quantises or computes in integers."""
    from onnx import TensorProto

    halves = (TensorProto.FLOAT16, TensorProto.BFLOAT16)
    return any(tensor.data_type in halves for tensor in graph.constants.values()) or any(
        node.op_type.endswith(QUANTISED) or node.op_type.startswith("QLinear") for node in graph.nodes
    )


def compare_outputs(
    reference: Graph,
    compared: Compared,
    match: Matching,
    others: Sequence[Mapping[str, np.ndarray]],
    candidate_outputs: Sequence[str] | None,
    tolerance: Tolerance,
) -> tuple[OutputError, ...]:
    """Every output of the reference. One that was not matched is paired by its name, else by its place.

    `others` are the candidate's outputs for each feed. `candidate_outputs` is None where another runtime gave them by
    themselves: each that was matched is then held against the reference's anew.
    """
    rows = []
    for place, name in enumerate(reference.outputs):
        if candidate_outputs is not None and name in compared.own:
            rows.append(OutputError(output=one_line(name), error=compared.own[name].result()))
        elif name in compared.outputs[0] and (candidate_outputs is not None or name in match.tensors):
            counterpart = match.tensors.get(name) or _counterpart(reference, candidate_outputs or (), place, match)
            pairs = zip(compared.outputs, others, strict=True)
            rows.append(_error(name, [(a.get(name), b.get(counterpart)) for a, b in pairs], tolerance))
    return tuple(rows)


def fetched_apart(outputs: Sequence[OutputError], compared: Compared) -> list[str]:
    """A note where outputs differ from the same tensors fetched among all others: the profile is then of another run.

    A tensor that is fetched cannot be fused away, so a runtime rounds at other places than in use.
    """
    among = {one_line(name): meter.result() for name, meter in compared.own.items()}
    pairs = [(row.output, _shown(row.error), _shown(among[row.output])) for row in outputs if row.output in among]
    texts = [
        f"relative error of {name} {in_use} in use, {fetched} with every tensor fetched"
        for name, in_use, fetched in pairs
        if in_use != fetched and in_use and fetched
    ]
    return [f"fetching the tensors inside changes what the runtime fuses: {'; '.join(texts)}"] if texts else []


def _shown(error: TensorError) -> str:
    return "" if error.relative_error is None else f"{error.relative_error:.3g}"


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
