"""Weights and their moving average in one flat dictionary: `model.…` beside `ema_model.module.…`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from porter.checkpoints.numpy_values import is_tensor

ENOUGH = 0.9
"""Share of an average's names that must be names of weights beside it, and of those that must be in it: one
submodule that is called `ema` has neither."""


def names_average(key: str) -> bool:
    """Whether a key is called a moving average."""
    return bool({"ema", "swa"} & set(re.split(r"[^a-z]+", key.lower())))


def flat_sets(content: Mapping[Any, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The sets that a dictionary of weights holds side by side, each with its first name; none where it is one set."""
    names = [name for name, value in content.items() if isinstance(name, str) and is_tensor(value)]
    groups: dict[str, list[str]] = {}
    for name in names:
        first = name.partition(".")[0]
        if first != name and names_average(first):
            groups.setdefault(first, []).append(name)
    rest = [name for name in names if not any(name.startswith(f"{first}.") for first in groups)]
    plain: dict[str, Mapping[str, Any]] = {}
    averages: dict[str, Mapping[str, Any]] = {}
    for first, members in groups.items():
        inner = {name.partition(".")[2]: content[name] for name in members}
        found = _average_of(inner, rest)
        if found is None:
            continue
        key, averages[first] = found
        begin = f"{key}." if key else ""
        plain[key] = {name[len(begin) :]: content[name] for name in rest if name.startswith(begin)}
    yield from (*plain.items(), *averages.items()) if averages else ()


def _average_of(inner: Mapping[str, Any], rest: list[str]) -> tuple[str, Mapping[str, Any]] | None:
    """The first name of the weights that this is an average of, and its entries under names of their own."""
    known = set(rest)
    tensors = [name for name, value in inner.items() if is_tensor(value) and "." in name]
    for member in tensors[:1]:
        parts = member.split(".")
        for cut in range(len(parts) - 1):
            end = ".".join(parts[cut:])
            begin, begins = ".".join(parts[:cut]), {name.removesuffix(end) for name in rest if name.endswith(f".{end}")}
            for other in sorted(begins | ({""} if end in known else set())):
                mine = f"{begin}." if begin else ""
                hits = sum(other + name.removeprefix(mine) in known for name in tensors)
                beside = sum(name.startswith(other.partition(".")[0]) for name in rest)
                if hits >= ENOUGH * len(tensors) and len(tensors) >= ENOUGH * beside:
                    return other.partition(".")[0], inner
    for key in ("model", "module", ""):  # an average whose names had their dots taken out
        begin = f"{key}." if key else ""
        whole = {name[len(begin) :].replace(".", ""): name[len(begin) :] for name in rest if name.startswith(begin)}
        if inner and sum(name in whole for name in inner) >= ENOUGH * len(inner) - 2 and len(inner) > 2:
            return key, {whole[name]: value for name, value in inner.items() if name in whole}
    return None
