"""How far an artefact's outputs may lie from the reference's, by the precision that it computes in.

float32 has a fixed tolerance, and an output outside it fails. Lesser precisions round every product and sum that they
store, so their bound is an estimate from the format and the network:

    rtol = 2 · u · √n

u is the unit roundoff of the format (`porter.records.precision`) and n the number of
nodes with weights, which is at least the depth in which errors can pile up. The root is what independent rounding
errors add up to (N. J. Higham and T. Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci.
Comput. 41 (2019)); the 2 is for the two roundings of a layer, that of its weights and that of its result. A network can
amplify errors beyond any such estimate and still answer as well, and the gate on accuracy measures whether it does. So
a miss of the estimate is stated and fails nothing. A tolerance that the user gives is a bound, and a miss fails, at any
precision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from porter.records.message import Message, Text
from porter.records.parity import Tolerance
from porter.records.precision import FP32, PRECISIONS, Precision
from porter.records.record import RunRecord
from porter.records.request import RunRequest

WEIGHTED = frozenset(
    {"Conv", "ConvTranspose", "Gemm", "MatMul"}
    | {"QLinearConv", "QLinearMatMul", "QGemm", "ConvInteger", "MatMulInteger"}
)
"""Types of ONNX nodes that multiply by weights and sum."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A tolerance, where it comes from, and whether a miss fails."""

    tolerance: Tolerance
    source: Text
    """In words."""
    binding: bool
    """False: an estimate, a miss of which is stated and fails nothing."""

    def passes(self, *, within: bool, whole: bool) -> bool:
        """Whether outputs pass that are all `within` the tolerance, or at least `whole`: of the reference's shapes, and
        finite."""
        return within or (whole and not self.binding)


def bound_for(request: RunRequest, precision: Precision, operators: Mapping[str, int]) -> Bound:
    """The bound for one precision and a graph with so many nodes of each type; what the user gave goes first."""
    default, source = Tolerance(), Message("the default for fp32")
    roundoff = precision.unit_roundoff
    is_exact = roundoff <= PRECISIONS[FP32].unit_roundoff
    if not is_exact:
        nodes = max(1, sum(count for kind, count in operators.items() if kind in WEIGHTED))
        default = Tolerance(rtol=2 * roundoff * math.sqrt(nodes))
        source = Message(
            "estimated for {precision}: 2 · 2^{exponent} · √{nodes}",
            precision=precision.name,
            exponent=round(math.log2(roundoff)),
            nodes=nodes,
        )
    given = request.atol is not None or request.rtol is not None
    tolerance = Tolerance(
        atol=default.atol if request.atol is None else request.atol,
        rtol=default.rtol if request.rtol is None else request.rtol,
    )
    return Bound(
        tolerance=tolerance,
        source=Message("as requested") if given else source,
        binding=given or is_exact,
    )


def bound_of(request: RunRequest, precision: Precision, record: RunRecord) -> Bound:
    """The bound for an artefact of that precision, by the exported graph of the record."""
    assert record.export is not None
    return bound_for(request, precision, record.export.facts.operators)
