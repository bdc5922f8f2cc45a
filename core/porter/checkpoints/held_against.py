"""A model's tensors against a set of weights: which are the file's, which came from nowhere, what found no place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from porter.checkpoints.arrays_of import is_counter
from porter.checkpoints.folded_norms import folded_layers, is_learned
from porter.checkpoints.tensor_index import TensorIndex, nearest_name
from porter.records.message import Message, Text

if TYPE_CHECKING:
    from torch import Tensor

BY_NAME = 0.75
"""Share of tensors that hold the entry of their own name, from which on one that holds another's is misplaced."""
VOTES = 64
"""Tensors that tell how names on either side go together."""
STATISTICS = ("running_mean", "running_var")


@dataclass
class ModelTensors:
    """The tensors of a module, on the CPU."""

    state: dict[str, Tensor]
    """Its state dict, counters left out."""
    buffers: frozenset[str]
    """Those of them that are no parameters and no statistics of a norm."""
    unsaved: dict[str, Tensor]
    """Buffers that are in no state dict."""


@dataclass
class Held:
    """What came of it."""

    pairs: dict[str, str] = field(default_factory=dict)
    """Tensor of the model: the entry of the file that it holds."""
    folded: list[str] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    strangers: dict[str, Text] = field(default_factory=dict)
    homeless: list[str] = field(default_factory=list)


def tensors_of(module: Any) -> ModelTensors:
    """Every tensor that the module would save, and those that it would not."""
    import torch

    state = module.state_dict()
    saved = {
        name: torch.detach(value).cpu()
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and not is_counter(name)
    }
    buffers = dict(module.named_buffers(remove_duplicate=False))
    own = frozenset(name for name in saved if name in buffers and name.rpartition(".")[2] not in STATISTICS)
    unsaved = {name: torch.detach(value).cpu() for name, value in buffers.items() if name not in state}
    return ModelTensors(saved, own, unsaved)


def count_held(tensors: ModelTensors, index: TensorIndex) -> int:
    """How many of the model's tensors have values of these entries."""
    return sum(bool(index.find(tensor)) for tensor in tensors.state.values())


@dataclass(frozen=True)
class Names:
    """What wrappers put before the names on either side."""

    model: str
    file: str

    def own(self, name: str) -> str:
        """The entry that a tensor of the model has by its name."""
        return f"{self.file}{name.removeprefix(self.model)}"


def align(tensors: ModelTensors, index: TensorIndex) -> Names:
    """How the names of most tensors lead to those of their entries: told by values, or else by how names end."""
    ends: dict[str, list[str]] = {}
    for entry in index.tensors:
        ends.setdefault(entry.rpartition(".")[2], []).append(entry)
    votes: Counter[Names] = Counter()
    for by_values in (True, False):
        for name in list(tensors.state)[:: max(1, len(tensors.state) // VOTES)]:
            found = index.find(tensors.state[name]) if by_values else ends.get(name.rpartition(".")[2], [])
            if found:
                votes[_names(name, nearest_name(name, found))] += 1
        if votes:
            break
    return votes.most_common(1)[0][0] if votes else Names("", "")


def _names(name: str, entry: str) -> Names:
    mine, theirs = name.split("."), entry.split(".")
    while mine and theirs and mine[-1] == theirs[-1]:
        mine.pop()
        theirs.pop()
    return Names("".join(f"{part}." for part in mine), "".join(f"{part}." for part in theirs))


def hold_against(tensors: ModelTensors, index: TensorIndex, derived: Mapping[str, Collection[str]]) -> Held:
    """The model against the entries of a file; `derived`: see `LoadReport`."""
    own = align(tensors, index).own
    held = Held(derived=[name for name in derived if name in tensors.state])
    used = {entry for entries in derived.values() for entry in entries}
    unmatched = []
    for name, tensor in tensors.state.items():
        if name in derived:
            continue
        if index.holds(own(name), tensor):
            held.pairs[name] = own(name)
        elif found := index.find(tensor):
            held.pairs[name] = nearest_name(name, found)
        else:
            unmatched.append(name)
    used |= set(held.pairs.values())
    free = {name: tensor for name, tensor in index.tensors.items() if name not in used}
    for layer in folded_layers(tensors.state, unmatched, free):
        held.folded += layer.tensors
        used |= set(layer.entries)
    left = [name for name in unmatched if name not in held.folded]
    held.constants = [name for name in left if name in tensors.buffers and own(name) not in index.tensors]
    for name in left:
        if name not in held.constants:
            held.strangers[name] = _instead(tensors.state[name], index.tensors.get(own(name)))
    held.strangers.update(_misplaced(held, tensors, index, own))
    held.homeless = _homeless(held, index, used, tensors)
    return held


def _instead(tensor: Tensor, entry: Tensor | None) -> Text:
    """What a tensor is that no entry of the file has."""
    if entry is None:
        return Message("the file does not contain these values")
    if entry.shape != tensor.shape:
        return Message("the file has a tensor of that name with another shape")
    off = (entry.double() - tensor.double()).abs()
    return Message(
        "{count} of {all} values differ from the file, by up to {error:.3g}",
        count=int((off > 0).sum()) or tensor.numel(),
        all=tensor.numel(),
        error=float(off.max()),
    )


def _misplaced(held: Held, tensors: ModelTensors, index: TensorIndex, own: Callable[[str], str]) -> dict[str, Text]:
    """Tensors that hold another entry's values, where the file has one of their name and nearly all hold their own."""
    other = {name: entry for name, entry in held.pairs.items() if entry != own(name) and own(name) in index.tensors}
    if len(held.pairs) - len(other) < BY_NAME * len(held.pairs):
        return {}
    return {
        name: Message("contains the values of {entry}", entry=entry)
        if is_learned(name, tensors.state[name])
        else _instead(tensors.state[name], index.tensors[own(name)])
        for name, entry in other.items()
    }


def _homeless(held: Held, index: TensorIndex, used: set[str], tensors: ModelTensors) -> list[str]:
    """Learned entries of the modules that the model has, which it has no place for.

    A module is known by its first name after what all entries with a place share, as `stage3`: another head, a
    teacher or the loss beside the model has a first name, or a beginning, of its own.
    """
    placed = [entry.split(".") for entry in used if entry in index.tensors]
    if not placed:
        return []
    depth = len(_shared(placed))
    begin = placed[0][:depth]
    roots = {tuple(parts[: depth + 1]) for parts in placed if len(parts) > depth + 1}
    here = TensorIndex({**{name: index.tensors[name] for name in used if name in index.tensors}, **tensors.unsaved})
    return [
        name
        for name, tensor in index.tensors.items()
        if name not in used
        and (parts := name.split("."))[:depth] == begin
        and tuple(parts[: depth + 1]) in roots
        and is_learned(name, tensor)
        and not here.find(tensor)
    ]


def _shared(names: Iterable[list[str]]) -> list[str]:
    """The parts that all names begin with, the last part of a name left out."""
    shared: list[str] | None = None
    for parts in names:
        path = parts[:-1]
        if shared is None:
            shared = path
        else:
            count = next(
                (n for n, (a, b) in enumerate(zip(shared, path, strict=False)) if a != b), min(len(shared), len(path))
            )
            shared = shared[:count]
    return shared or []
