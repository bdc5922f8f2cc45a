"""Find the weights inside a checkpoint: bare, or under the keys that training scripts use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from porter.checkpoints.flat_sets import flat_sets, names_average
from porter.checkpoints.naming import quoted, some, type_name
from porter.checkpoints.numpy_values import is_tensor, tensor_of
from porter.checkpoints.read import RawCheckpoint
from porter.checkpoints.sniff import Format
from porter.errors import BadInput, one_line

if TYPE_CHECKING:
    from torch import Tensor

_KEYS = frozenset({"state_dict", "model_state_dict", "model", "net", "network", "module", "weights", "params"})

_DEEPEST = 4
"""Keys on the way to the weights. Real files need two; a forged one may be nested without end."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One set of weights of a checkpoint."""

    path: Path
    """The file."""
    format: Format
    """What the file is, by its content."""
    safe: bool
    """Whether it was read without running code."""
    entries: dict[str, Tensor]
    """Tensors by name, detached, on the CPU, as the file has them."""
    key: str
    """Where they lie, e.g. `state_dict` or `model.state_dict`; empty for a bare file."""
    offered: tuple[str, ...] = ()
    """Every key that holds weights, where there is more than one."""
    beside: tuple[str, ...] = ()
    """Keys that hold something else."""
    not_tensors: Mapping[str, str]
    """Entries of the set that are no tensors, and what they are instead."""


@dataclass(frozen=True)
class _Set:
    """A dictionary that holds tensors."""

    keys: tuple[str, ...]
    """On the way to the dictionary."""
    content: Mapping[Any, Any]
    flat: str = ""
    """What its names began with in that dictionary, where several sets lie in it side by side."""

    @property
    def key(self) -> str:
        return ".".join([*self.keys, *([self.flat] if self.flat else [])])

    @property
    def averaged(self) -> bool:
        """Is it a moving average of the weights, by its name?"""
        return any(names_average(key) for key in (*self.keys, self.flat))


def find_weights(raw: RawCheckpoint, *, weights: str | None = None) -> Weights:
    """The weights in `raw`: the bare dictionary, or what lies under `state_dict`, `model`, …, nested or not.

    Trained weights go before their moving average (`ema`), which is used where it is all that there is.
    `weights` chooses another set by its key; `.` separates nested keys.

    Raises:
        BadInput: no weights, none under the key asked for, or several sets without a reason to choose one.
    """
    content = _as_mapping(raw.content)
    if content is None:
        raise BadInput(
            f"{one_line(raw.path)}: contains a {type_name(raw.content)}, not a state dict. "
            "Save model.state_dict() instead"
        )
    sets = tuple(_sets(content))
    chosen = _preferred(raw.path, content, sets) if weights is None else _chosen(raw.path, content, sets, weights)
    return _make(raw, content, sets, chosen)


def _make(raw: RawCheckpoint, content: Mapping[Any, Any], sets: tuple[_Set, ...], chosen: _Set) -> Weights:
    offered = tuple(dict.fromkeys([*(found.key for found in sets), chosen.key]))
    entries = _tensors(chosen.content)
    return Weights(
        path=raw.path,
        format=raw.format,
        safe=raw.safe,
        entries=entries,
        key=chosen.key,
        offered=offered if len(offered) > 1 else (),
        beside=tuple(_beside(content, chosen.keys, offered)),
        not_tensors={str(name): type_name(value) for name, value in chosen.content.items() if name not in entries},
    )


def every_set(content: object) -> dict[str, dict[str, Tensor]]:
    """All sets of weights of a checkpoint by key: those under known keys, and every other dictionary of tensors."""
    mapping = _as_mapping(content)
    if mapping is None:
        return {}
    found = {one.key: _tensors(one.content) for one in _sets(mapping)}
    for key, value in mapping.items():
        inner = _as_mapping(value)
        if isinstance(key, str) and key not in found and inner is not None and _holds_tensors(inner):
            found[key] = _tensors(inner)
    return found


def _tensors(content: Mapping[Any, Any]) -> dict[str, Tensor]:
    named = ((name, tensor_of(value)) for name, value in content.items() if isinstance(name, str))
    return {name: tensor for name, tensor in named if tensor is not None}


def _sets(content: Mapping[Any, Any]) -> Iterator[_Set]:
    """Every set of weights under known keys; where there is none, `content` itself if it holds tensors."""
    nested = list(_nested_sets(content, (), {id(content)}))
    if nested or _holds_tensors(content):
        for found in nested or [_Set((), content)]:
            flat = [_Set(found.keys, inner, name) for name, inner in flat_sets(found.content)]
            yield from flat or [found]


def _nested_sets(content: Mapping[Any, Any], keys: tuple[str, ...], seen: set[int]) -> Iterator[_Set]:
    """The innermost sets below `content`. A dictionary stored under two keys (or in itself) counts once."""
    if len(keys) == _DEEPEST:
        return
    for key, value in content.items():
        if not isinstance(key, str) or not (key in _KEYS or names_average(key)):
            continue
        inner = _as_mapping(value)
        if inner is None or id(value) in seen:
            continue
        seen.add(id(value))
        below = list(_nested_sets(inner, (*keys, key), seen))
        if below:
            yield from below
        elif _holds_tensors(inner):
            yield _Set((*keys, key), inner)


def _preferred(path: Path, content: Mapping[Any, Any], sets: tuple[_Set, ...]) -> _Set:
    candidates = [found for found in sets if not found.averaged] or list(sets)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise BadInput(
            f"{one_line(path)}: contains several sets of weights: {some([found.key for found in candidates], 8)}. "
            "Choose one with --weights"
        )
    others = [key for key, value in content.items() if _holds_tensors(_as_mapping(value) or {})]
    if others:
        raise BadInput(
            f"{one_line(path)}: no weights under a usual key, but tensors under {some(others, 8)}. "
            "Choose one with --weights"
        )
    raise BadInput(f"{one_line(path)}: no weights found. It contains {_contents(content)}")


def _chosen(path: Path, content: Mapping[Any, Any], sets: tuple[_Set, ...], weights: str) -> _Set:
    """The set under the key `weights`, or the only one below it."""
    for one in sets:
        if weights and weights in (one.key, one.flat):
            return one
    for keys, found in _under(content, weights):
        below = [_Set((*keys, *inner.keys), inner.content) for inner in _sets(found)]
        if below:
            return _preferred(path, found, tuple(below))
    for one in sets:
        begin = f"{weights}."
        flat = {name: value for name, value in one.content.items() if isinstance(name, str) and name.startswith(begin)}
        if weights and _holds_tensors(flat):
            return _Set(one.keys, {name[len(begin) :]: value for name, value in flat.items()}, weights)
    offers = some([found.key for found in sets if found.key], 8)
    raise BadInput(
        f"{one_line(path)}: no weights under {quoted(weights)} (--weights). "
        + (f"Weights are under {offers}" if offers else f"It contains {_contents(content)}")
    )


def _under(
    content: Mapping[Any, Any], dotted: str, depth: int = 0
) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """The dictionaries that `dotted` may name; a key may itself hold dots."""
    for key, value in content.items() if depth < _DEEPEST else ():
        inner = _as_mapping(value)
        if inner is None or not isinstance(key, str):
            continue
        if key == dotted:
            yield (key,), inner
        elif dotted.startswith(f"{key}."):
            for keys, found in _under(inner, dotted[len(key) + 1 :], depth + 1):
                yield (key, *keys), found


def _beside(content: Mapping[Any, Any], keys: tuple[str, ...], offered: tuple[str, ...]) -> Iterator[str]:
    """Keys on the way to the weights that lead elsewhere."""
    way = ""
    for key in keys:
        for other in content:
            name = f"{way}{other}"
            if other != key and not any(f"{offer}.".startswith(f"{name}.") for offer in offered):
                yield one_line(name)
        way += f"{key}."
        content = _as_mapping(content[key]) or {}


def _as_mapping(value: object) -> Mapping[Any, Any] | None:
    """`value` as a dictionary: as it is, or the state dict of a module (which only a trusted file can hold)."""
    import torch

    if isinstance(value, torch.nn.Module):
        state: dict[str, Any] = value.state_dict()
        return state
    return value if isinstance(value, Mapping) else None


def _holds_tensors(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(name, str) and is_tensor(value) for name, value in content.items())


def _contents(content: Mapping[Any, Any]) -> str:
    shown = [f"{quoted(key)} ({type_name(value)})" for key, value in list(content.items())[:8]]
    more = f" and {len(content) - len(shown)} more" if len(content) > len(shown) else ""
    return (", ".join(shown) + more) or "nothing"
