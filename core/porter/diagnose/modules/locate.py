"""The first module whose output is not that of the nodes exported from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from porter.diagnose.modules.batchnorm import explain_batchnorm
from porter.diagnose.modules.module_outputs import Heard
from porter.graphs.graph import Graph
from porter.graphs.modules import module_of
from porter.graphs.onnx_probe import OnnxProbe
from porter.records.message import Message, Text
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class Located:
    """Where the graph leaves the module that it was exported from."""

    module: str
    """Dotted name; empty for the model itself."""
    kind: str
    """Its class."""
    tensor: str
    """The tensor of the graph that was compared with the module's output."""
    relative_error: float
    """max|a - b| / max|a|, the module's output being a."""
    explained: Text
    """What explains it, in words; empty: nothing that was tried."""


def locate(
    heard: Sequence[Heard], probe: OnnxProbe, feed: Mapping[str, np.ndarray], tolerance: Tolerance
) -> tuple[Located | None, int]:
    """The first module, in the order in which they end, that differs, and how many were compared.

    A BatchNorm that has no node of its own was folded into the module before it: that one's tensor is then compared
    with the output of the BatchNorm.
    """
    exits = _exits(probe.graph)
    known = [one for one in heard if one.name in exits]
    tensors = probe.fetch([exits[one.name] for one in known], feed)
    compared = 0
    for place, one in enumerate(heard):
        tensor = exits.get(one.name)
        values = None if tensor is None else tensors.get(tensor)
        if tensor is None or values is None:
            continue
        end = _end(heard, place, exits)
        if end.output.shape != values.shape:
            continue
        compared += 1
        error = _error(end.output, values)
        if error > tolerance.rtol + tolerance.atol / max(_size(end.output), 1e-12):
            return _located(one, end, tensor, values, error), compared
    return None, compared


def _located(first: Heard, last: Heard, tensor: str, values: np.ndarray, error: float) -> Located:
    norm = last.kind.startswith("BatchNorm") and last.given is not None
    explained = explain_batchnorm(last.module, last.given, values) if norm and last.given is not None else ""
    blamed = last if explained else first
    return Located(module=blamed.name, kind=blamed.kind, tensor=tensor, relative_error=error, explained=explained)


def _exits(graph: Graph) -> dict[str, str]:
    """The one tensor by which each module's nodes are left; modules with none or several are passed over."""
    owners = [module_of(node) for node in graph.nodes]
    readers: dict[str, set[str]] = defaultdict(set)
    for index, _ in enumerate(graph.nodes):
        for name in graph.variables(index):
            readers[name].add(owners[index])
    leaving: dict[str, list[str]] = defaultdict(list)
    for index, _ in enumerate(graph.nodes):
        for name in graph.written(index):
            for scope in _scopes(owners[index]):
                outside = any(not _inside(reader, scope) for reader in readers[name])
                if outside or name in graph.outputs:
                    leaving[scope].append(name)
    return {scope: names[0] for scope, names in leaving.items() if len(names) == 1}


def _scopes(owner: str) -> Iterator[str]:
    """The module and those that it is part of, the model itself last."""
    while owner:
        yield owner
        owner = owner.rpartition(".")[0]
    yield ""


def _inside(owner: str, scope: str) -> bool:
    return not scope or owner == scope or owner.startswith(f"{scope}.")


def _end(heard: Sequence[Heard], place: int, exits: Mapping[str, str]) -> Heard:
    """The module itself, or the last of those right after it that take its output and were folded into it."""
    import numpy as np

    end = heard[place]
    for one in heard[place + 1 :]:
        if one.name in exits or one.given is None or not np.array_equal(one.given, end.output, equal_nan=True):
            break
        end = one
    return end


def _size(values: np.ndarray) -> float:
    import numpy as np

    return float(np.abs(values).max(initial=0.0))


def _error(wanted: np.ndarray, got: np.ndarray) -> float:
    import numpy as np

    error = float(np.abs(wanted.astype(np.float64) - got).max(initial=0.0))
    if not np.isfinite(error):
        return 0.0 if np.array_equal(np.isfinite(wanted), np.isfinite(got)) else float("inf")
    return error / max(_size(wanted), 1e-12)


def told(located: Located) -> Message:
    """Where, in words."""
    name = located.module or Message("the model's own forward")
    if located.explained:
        return Message("{kind} {module}: {why}", kind=located.kind, module=name, why=located.explained)
    return Message(
        "{kind} {module} differs from tensor `{tensor}` (relative error {error:.3g})",
        kind=located.kind,
        module=name,
        tensor=located.tensor,
        error=located.relative_error,
    )
