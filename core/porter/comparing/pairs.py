"""Which evaluation, or artefact, of one run stands beside which of the other."""

from __future__ import annotations

from collections.abc import Sequence

REFERENCE = "reference"
"""The evaluation of the model as it was loaded. It stands beside itself, or alone: no artefact is its like."""


def pairs(first: Sequence[str], second: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Those of one name; and where just one artefact is left over on either side, these two.

    So a run in fp32 can be held against one in int8, or one runtime against another. What stays alone is paired with an
    empty name.
    """
    together = [(name, name) for name in first if name in second]
    left, right = [n for n in first if n not in second], [n for n in second if n not in first]
    artefacts = [n for n in left if n != REFERENCE], [n for n in right if n != REFERENCE]
    if len(artefacts[0]) == len(artefacts[1]) == 1:
        together.append((artefacts[0][0], artefacts[1][0]))
    taken = {name for pair in together for name in pair}
    alone = [(name, "") for name in left if name not in taken] + [("", name) for name in right if name not in taken]
    return (*together, *alone)
