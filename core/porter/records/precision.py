"""The precisions, in one table: what a name means wherever porter reckons with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Precision:
    """A type of arithmetic that artefacts are built for."""

    name: str
    """The name on the command line, in file names and tables."""
    unit_roundoff: float
    """Largest relative error of rounding one value to it: 2^-p for p bits of significand, the leading one included; of
    a quantised type, whose steps are all alike, one step of a range that is used whole: most values lie far below."""
    bytes: int
    """Bytes of one stored value."""
    quantised: bool = False
    """Whether values are integers with a scale, so that images are needed to find the ranges."""


PRECISIONS = {
    one.name: one
    for one in (
        Precision(name="fp32", unit_roundoff=2.0**-24, bytes=4),
        Precision(name="bf16", unit_roundoff=2.0**-8, bytes=2),
        Precision(name="fp16", unit_roundoff=2.0**-11, bytes=2),
        Precision(name="int8", unit_roundoff=2.0**-7, bytes=1, quantised=True),
    )
}
"""Those that porter knows by itself, by name, the most exact first. A runtime brings further ones of its own
(`Runtime.precisions`)."""
FP32, INT8 = "fp32", "int8"


def table_with(further: Iterable[Precision]) -> dict[str, Precision]:
    """The table, with the precisions of runtimes that it lacks."""
    return PRECISIONS | {one.name: one for one in further if one.name not in PRECISIONS}
