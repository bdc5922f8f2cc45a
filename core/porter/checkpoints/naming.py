"""Names from a checkpoint, made fit for a line of text. They may be hostile: long, or full of control characters."""

from __future__ import annotations

from collections.abc import Collection

from porter.errors import one_line

_LONGEST = 100


def quoted(name: object) -> str:
    """`name` in quotes, on one line, at most 100 characters of it."""
    text = str(name)
    return one_line(repr(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"))


def some(names: Collection[object], limit: int = 3) -> str:
    """The first `limit` of `names` in quotes, and how many more there are."""
    shown = ", ".join(quoted(name) for name in list(names)[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def type_name(value: object) -> str:
    """What `value` is, in a few words, e.g. `str`, `dict of 3`, `Tensor 64x3x3x3`."""
    import torch

    from porter.checkpoints.inert import Inert

    if isinstance(value, torch.Tensor):
        # A nested tensor has no shape to give.
        return "Tensor" if value.is_nested else f"Tensor {'x'.join(map(str, value.shape)) or 'scalar'}"
    if isinstance(value, Inert):
        return value.stands_for
    name = one_line(type(value).__qualname__)
    return f"{name} of {len(value)}" if isinstance(value, dict | list | tuple | set) else name
