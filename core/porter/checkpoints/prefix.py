"""Take off what wrappers put before the names of a state dict: `module.`, `model.`, `_orig_mod.`."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from pathlib import Path

from porter.checkpoints.naming import some
from porter.errors import BadInput, one_line

_COMPILED = "_orig_mod."
"""What `torch.compile` puts before the names (`torch._dynamo.OptimizedModule`)."""

_DEEPEST = 4
"""Wrappers around one model."""


def choose_prefix(path: Path, names: Collection[str], expected: Collection[str], prefixes: Iterable[str]) -> str:
    """The run of `prefixes` (repeated or mixed, e.g. `module.model.`) whose removal matches most of `expected`.

    It is empty where the names match best as they are, so that a model's own submodule named `model` keeps its name.

    Raises:
        BadInput: the file at `path` holds all of `expected` under two prefixes.
    """
    matches = _count_matches(names, set(expected), [*prefixes, _COMPILED])
    best = max(matches.values())
    if best < len(expected):
        # No known wrapper's: still, what all of the model lies behind was put there by something like one.
        matches = dict.fromkeys(_whole_behind(names, expected), len(expected)) or matches
        best = max(matches.values())
    equal = [prefix for prefix, count in matches.items() if count == best]
    if len(equal) > 1 and best == len(expected):
        raise BadInput(
            f"{one_line(path)}: contains the weights twice, under the prefixes {some(equal)}. Choose one "
            "with --weights, "
            f"as `--weights {min(one for one in equal if one).rstrip('.')}`"
        )
    return min(equal, key=len)


def _whole_behind(names: Collection[str], expected: Collection[str]) -> list[str]:
    """The prefixes, other than none, that all of `expected` lie behind."""
    known, first = set(names), next(iter(expected), "")
    begins = dict.fromkeys(name.removesuffix(first) for name in names if first and name.endswith(f".{first}"))
    return [begin for begin in begins if all(f"{begin}{other}" in known for other in expected)]


def _count_matches(names: Collection[str], expected: set[str], tokens: list[str]) -> dict[str, int]:
    """For each prefix that some name has, how many of `expected` the names with it give once it is taken off."""
    counts: dict[str, int] = {}
    pending = deque([("", 0)])
    while pending:
        prefix, depth = pending.popleft()
        carriers = [name for name in names if name.startswith(prefix)]
        if prefix in counts or (prefix and not carriers):
            continue
        counts[prefix] = sum(name[len(prefix) :] in expected for name in carriers)
        if depth < _DEEPEST:
            pending.extend((prefix + token, depth + 1) for token in tokens if token)
    return counts


def without_prefix(names: Iterable[str], prefix: str) -> dict[str, str]:
    """The names that begin with `prefix`: name without it → name in the file."""
    return {name[len(prefix) :]: name for name in names if name.startswith(prefix)}
