"""Which images are taken where `--limit` asks for fewer than there are."""

from __future__ import annotations

from porter.errors import BadInput


def evenly_spaced(n: int, limit: int) -> list[int]:
    """Indices `floor(i * n / limit)` for i = 0 … limit - 1, or all of `range(n)` where `limit >= n`.

    Spread over the whole list, since image lists are commonly sorted by class. Raises `BadInput` for `limit < 1`.
    """
    if limit < 1:
        raise BadInput(f"--limit {limit}: at least one image must be taken")
    if limit >= n:
        return list(range(n))
    return [i * n // limit for i in range(limit)]
