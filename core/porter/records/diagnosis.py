"""What `porter diagnose` found between two graphs that should compute the same."""

from __future__ import annotations

from dataclasses import dataclass

from porter.records.parity import Tolerance


@dataclass(frozen=True, kw_only=True)
class TensorError:
    """How far one tensor of the candidate lies from the reference's, over all feeds."""

    max_abs_error: float | None
    """None where the two cannot be compared, for `problem`."""
    relative_error: float | None
    """max|a - b| / max|a|, the worst feed; None also where the reference is all zero and the candidate is not."""
    sqnr_db: float | None
    """Signal to noise, 10 log10(sum a² / sum (a - b)²); None without an error, or without a signal."""
    cosine: float | None
    """Of the flattened tensors, over all feeds together; None where one of them is all zero."""
    exceeds: bool
    """Beyond the tolerance in at least one feed, or not comparable."""
    problem: str = ""
    """What went wrong, where there is no error to measure."""


@dataclass(frozen=True, kw_only=True)
class NodeFinding:
    """One node of the reference, and what the candidate made of the tensor that it computes."""

    depth: int
    """Position in the reference's topological order, from 0; constants are no nodes."""
    name: str
    """Name of the node in the reference."""
    op_type: str
    """Its operator."""
    module: str
    """The module of the source model, e.g. `stage2.0.branches.0.0.conv1`; empty where the graph does not tell."""
    attributes: dict[str, str]
    """Its attributes by name, as text."""
    tensor: str
    """The output compared: of a node with several, the one that is furthest off."""
    nodes: tuple[str, ...]
    """All nodes of the reference between this tensor and the compared ones before it: this one last."""
    candidate_tensor: str
    """What `tensor` was compared with."""
    candidate_nodes: tuple[str, ...]
    """The same of the candidate; empty where it is no graph."""
    error: TensorError
    """Of the whole candidate up to here: what came in, and what was added."""
    alone: TensorError | None
    """Of the candidate's nodes alone, given the reference's tensors; None where its runtime cannot run them alone."""
    introduced_error: float | None
    """Relative error added here, see `GraphDiagnosis.introduced_by`; None where it has no value."""


@dataclass(frozen=True, kw_only=True)
class DepthError:
    """One point of the error along the depth."""

    depth: int
    """See `NodeFinding`."""
    name: str
    """Name of the node in the reference."""
    op_type: str
    """Its operator."""
    module: str
    """See `NodeFinding`."""
    relative_error: float | None
    """See `TensorError`; None where it has no value: read `exceeds`."""
    introduced_error: float | None
    """Added here, in the same measure; see `GraphDiagnosis.introduced_by`."""
    exceeds: bool
    """Beyond the tolerance, or not comparable."""


@dataclass(frozen=True, kw_only=True)
class StaticDifference:
    """A difference that shows in the files, without running them."""

    kind: str
    """`opset`, `input`, `output`, `operator`, `attribute`, `weight`, `wiring`, or `storage`: the same values kept in
    another type."""
    node: str
    """Name in the reference; empty where it concerns the whole graph."""
    op_type: str
    """Its operator; empty where it concerns the whole graph."""
    module: str
    """See `NodeFinding`."""
    what: str
    """The attribute, the constant (weights are constants), or the tensor."""
    reference: str
    """What the reference has."""
    candidate: str
    """What the candidate has in its place."""
    max_abs_error: float | None = None
    """Of a weight: max|a - b|."""
    relative_error: float | None = None
    """Of a weight: max|a - b| / max|a|."""


@dataclass(frozen=True, kw_only=True)
class OneSided:
    """Tensors that only one of the graphs computes."""

    count: int
    """How many there are."""
    by_operator: dict[str, int]
    """Operators that compute them, most frequent first; empty where the side is no graph."""
    names: tuple[str, ...]
    """The first of them."""


@dataclass(frozen=True, kw_only=True)
class GraphMatch:
    """Which tensors of the two graphs were taken for the same."""

    method: str
    """`name`, or `structure`: by the order of the operators and the shapes of their weights."""
    matched: int
    """Tensors that were compared."""
    dequantised: int
    """Of these, tensors whose quantised and dequantised form stands for them in the candidate."""
    only_in_reference: OneSided
    """Tensors without a partner in the candidate."""
    only_in_candidate: OneSided
    """Tensors without a partner in the reference."""


@dataclass(frozen=True, kw_only=True)
class OutputError:
    """An output of the whole graph, against the same output of the other run."""

    output: str
    """Name of the output."""
    error: TensorError
    """How far it is off."""


@dataclass(frozen=True, kw_only=True)
class OptimisationCheck:
    """A graph as the runtime optimises it, against the same graph node by node."""

    side: str
    """`reference` or `candidate`."""
    outputs: tuple[OutputError, ...]
    """Its outputs, optimised against node by node."""
    passed: bool
    """Whether all are within the tolerance; in reduced precision rounding alone can fail it."""
    reduced: bool = False
    """Whether the graph computes in float16, bfloat16 or integers."""
    problem: str = ""
    """Why the optimised graph could not be run."""


@dataclass(frozen=True, kw_only=True)
class GraphDiagnosis:
    """Where a candidate graph leaves its reference."""

    reference: str
    """What the reference is called."""
    candidate: str
    """What the candidate is called."""
    feeds: int
    """Number of feeds that both were run on."""
    tolerance: Tolerance
    """The bound on every tensor."""
    match: GraphMatch
    """Which tensors were taken for the same."""
    static: tuple[StaticDifference, ...]
    """At most `STATIC_LIMIT`, in topological order, `storage` last."""
    static_total: int
    """How many there are in all."""
    failures: tuple[str, ...]
    """Nodes of the candidate that the runtime refused, each with the runtime's reason."""
    first: NodeFinding | None
    """The first node, in the reference's topological order, whose output is beyond the tolerance: all that it is
    computed from agrees. `alone.exceeds` tells whether this node does it, or small errors before it add up to it."""
    first_nan: str = ""
    """The first tensor in which the reference itself has NaN; empty where none has."""
    first_change: NodeFinding | None
    """The first node whose output is not equal; None where all are."""
    worst: tuple[NodeFinding, ...]
    """The nodes that add most error, most first: at most ten, none that adds nothing."""
    introduced_by: str
    """How `introduced_error` was found: `alone` (each candidate node run on the reference's tensors) or `growth`
    (error of the output less the greatest error of what it is computed from)."""
    profile: tuple[DepthError, ...]
    """The error along the depth, one point a node."""
    outputs: tuple[OutputError, ...]
    """The final outputs, candidate against reference."""
    optimisation: tuple[OptimisationCheck, ...]
    """Each graph as the runtime optimises it."""
    groups: int
    """In how many groups the tensors were fetched, to stay within the memory budget."""
    notes: tuple[str, ...] = ()
    """What else bears on the result."""


STATIC_LIMIT = 200
