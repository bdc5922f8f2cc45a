"""What was asked is what runs: a session's own account, held against what it was opened with.

A session says what it does in `SessionInfo`. Where that is not what was asked for, the headline of a document would be
wrong, so it ends the target, unless the runtime announced it: then it is in the record, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from porter.contracts.runtime import OpenRequest
from porter.errors import TargetFailed, one_line
from porter.records.artefact import SessionInfo
from porter.records.precision import FP32, PRECISIONS

SUFFIX = "executionprovider"
FIELDS = ("precision", "threads", "streams", "provider", "batch")
"""Fields of `SessionInfo` that are compared, and that a runtime can announce."""


class NotAsAsked(TargetFailed):
    """A session that runs otherwise than it was asked to, without having announced it (exit code 1)."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that was asked for and is not what runs."""

    field: str
    """One of `FIELDS`."""
    asked: str
    """In words."""
    found: str
    """In words, after "says that its session"."""

    def __str__(self) -> str:
        return f"{self.field}: requested {self.asked}, but its session {self.found}"


def require_as_asked(request: OpenRequest, info: SessionInfo, *, at_most: bool = False) -> None:
    """Raise `NotAsAsked` for the first difference that was not announced.

    `at_most`: nobody asked for so many streams, they are offered, and a session may use fewer.
    """
    for one in differences(request, info):
        if one.field in info.announced or (at_most and one.field == "streams" and info.streams < request.streams):
            continue
        name = request.artefact.runtime
        raise NotAsAsked(f"runtime {one_line(name)} requested {one.asked}, but its session {one.found}")


def differences(request: OpenRequest, info: SessionInfo) -> Iterator[Difference]:
    """All that was asked for and is not what runs, announced or not."""
    yield from _precision(request.artefact.precision, info, came_so=request.spec.precision)
    if info.threads is not None and info.threads != request.threads:  # None: it does not run on processors
        yield Difference(field="threads", asked=_many(request.threads, "thread"), found=f"uses {info.threads}")
    if info.streams != request.streams:
        yield Difference(field="streams", asked=_many(request.streams, "stream"), found=f"has {info.streams}")
    if request.provider is not None and not is_provider(request.provider, info.provider):
        asked, found = f"provider {one_line(request.provider)}", f"runs on {one_line(info.provider)}"
        yield Difference(field="provider", asked=asked, found=found)
    fixed, own = request.artefact.batch, request.batch
    if info.batch not in {fixed} | ({own} if fixed is None else set()):
        asked = "any batch size" if (fixed or own) is None else f"batch size {fixed or own}"
        found = "takes any" if info.batch is None else f"is fixed to batch size {info.batch}"
        yield Difference(field="batch", asked=asked, found=found)


def is_provider(asked: str, found: str) -> bool:
    """Whether a provider is the one that was asked for: by its full name or its short one, alone or in a list, with the
    number of a device or without."""
    name = re.escape(_short(asked))
    return any(re.fullmatch(rf"(device )?{name}([.:][0-9]+)?", _short(part)) for part in found.split(","))


def _precision(asked: str, info: SessionInfo, came_so: str = FP32) -> Iterator[Difference]:
    """By what the session says of itself, and by the layers that it counts: none may be less exact than was asked for,
    and of those that it has, some must be what was asked for, unless the model comes in that and nobody asked."""
    if info.precision != asked:
        yield Difference(field="precision", asked=asked, found=f"computes in {one_line(info.precision)}")
        return
    coarser = {name: count for name, count in info.layers.items() if name != asked and _is_coarser(name, asked)}
    if coarser or (info.layers and not info.layers.get(asked) and not asked == came_so != FP32):
        shown = ", ".join(f"{_many(count, 'layer')} in {one_line(name)}" for name, count in info.layers.items())
        yield Difference(field="precision", asked=asked, found=f"computes {shown}")


def _is_coarser(name: str, asked: str) -> bool:
    """Whether a type is one that rounds more than what was asked for; what is left of an int8 graph is float32."""
    if name not in PRECISIONS or asked not in PRECISIONS:
        return False
    allowed = PRECISIONS[asked]
    return PRECISIONS[name].unit_roundoff > (2.0**-24 if allowed.quantised else allowed.unit_roundoff)


def _short(name: str) -> str:
    return name.strip().casefold().removesuffix(SUFFIX)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
