"""Which evaluation, or artefact, of one run stands beside which of the other."""

from __future__ import annotations

from collections.abc import Sequence


def pairs(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Those of one name; and where just one is left over on either side, these two.

    So a run in fp32 can be held against one in int8, or one runtime against another. What stays alone is paired with an
    empty name.
    """
    left, right = [n for n in first if n not in second], [n for n in second if n not in first]
    together = [(name, name) for name in first if name in second]
    if len(left) == len(right) == 1:
        return (*together, (left[0], right[0]))
    return (*together, *((name, "") for name in left), *(("", name) for name in right))
