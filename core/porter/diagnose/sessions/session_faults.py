"""Faults of a session, each told from calls on images whose right outputs are known."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from porter.contracts.rows import Rows, copied, count_of, part, same_bits, taken
from porter.diagnose.sessions.ruler import Outputs, Ruler
from porter.records.message import Message

if TYPE_CHECKING:
    import numpy as np

    Call: TypeAlias = Callable[[Rows], Outputs]


SETTLED = 0.1
"""Seconds after which outputs are looked at again that were not right at once."""
RING = 8
"""Calls after which the outputs of a call must still be what they were."""


@dataclass(frozen=True, kw_only=True)
class SessionFault:
    """One fault by name, with how often it showed."""

    name: str
    """Short and stable, e.g. `shuffled-rows`."""
    title: Message
    """The fault in words."""
    wrong: int
    """Rows that were wrong."""
    rows: int
    """Of so many."""
    size: int = 1
    """Images in a call."""
    first: tuple[int, ...] = ()
    """The images of the first batch that was wrong."""


TITLES = {
    "unfinished": Message("the call returns before its outputs are complete"),
    "first-call": Message("the outputs of the first calls are wrong"),
    "swallowed-errors": Message("an error is swallowed, and outputs are returned all the same"),
    "batch-before": Message("the outputs belong to an earlier batch"),
    "later-calls": Message("outputs are wrong from a certain call on"),
    "every-other-call": Message("every other call is wrong, as if one of two streams were broken"),
    "not-deterministic": Message("the same call made twice gives different outputs"),
    "one-buffer": Message("all calls return the same buffer: a later call overwrites earlier outputs"),
    "refused": Message("works with one image at a time, fails with a batch"),
    "shuffled-rows": Message("the samples come out in another order"),
    "repeated-rows": Message("some samples of a batch have the outputs of others once more, as if they were skipped"),
    "first-for-all": Message("every sample of a batch has the outputs of the first"),
    "last-row": Message("the last sample of a batch is wrong"),
    "nan-rows": Message("some samples have NaN or infinite values"),
    "neighbours": Message("a sample depends on the other samples of its batch"),
    "place": Message("a sample depends on its position in the batch"),
    "batch-size": Message("outputs depend on the batch size"),
    "threads": Message("simultaneous calls from several threads disturb each other"),
}


class SessionTrials:
    """Calls a session on `feeds`, one row a sample, whose outputs `ruler` knows."""

    def __init__(self, call: Call, feeds: Rows, ruler: Ruler) -> None:
        self._call, self._feeds, self._ruler = call, feeds, ruler
        self._order = list(range(count_of(feeds)))
        self._off: set[int] = set()

    def unfinished(self) -> SessionFault | None:
        """Whether the outputs of the first call of a session change without another."""
        given = self._call(part(self._feeds, 0, 1))
        first = copied(given)
        if not self._wrong(first, 0):
            return None
        time.sleep(SETTLED)
        return _fault("unfinished", 1, 1) if self._ruler.apart(first, copied(given)) else None

    def in_turn(self) -> SessionFault | None:
        """Every image alone, then all of them again in reverse: what differs is no matter of the image."""
        called = [*self._order, *self._order[::-1]]
        outputs = [copied(self._call(part(self._feeds, image, image + 1))) for image in called]
        wrong = [self._wrong(given, image) for given, image in zip(outputs, called, strict=True)]
        count = sum(wrong)
        self._off = {image for image, bad in zip(called, wrong, strict=True) if bad}
        if not count:
            return None
        before = sum(
            bad and place > 0 and self._ruler.nearest(outputs[place], 0, called[place]) == called[place - 1]
            for place, bad in enumerate(wrong)
        )
        if before * 2 > count:
            return _fault("batch-before", count, len(called))
        start = wrong.index(True)
        if all(wrong[:count]) and count * 2 < len(self._order):
            return _fault("first-call", count, len(called))
        if start and all(wrong[start:]):
            return _fault("later-calls", count, len(called))
        if not (any(wrong[0::2]) and any(wrong[1::2])) and count * 4 > len(called):
            return _fault("every-other-call", count, len(called))
        rows = [(place, 0) for place, bad in enumerate(wrong) if bad]
        if all(outputs) and _constant(outputs, rows):
            return _fault("swallowed-errors", count, len(called))
        pairs = zip(outputs[: len(self._order)], reversed(outputs[len(self._order) :]), strict=True)
        differs = sum(self._ruler.apart(first, again) for first, again in pairs)
        return _fault("not-deterministic", differs, len(self._order)) if differs else None

    def by_now(self, outputs: Sequence[Outputs]) -> SessionFault | None:
        """Later outputs of the same images, each alone: whether one is wrong that was right `in_turn`."""
        wrong = [image for image in self._order if image not in self._off and self._wrong(outputs[image], image)]
        return _fault("later-calls", len(wrong), len(self._order)) if wrong else None

    def buffer(self) -> SessionFault | None:
        """Whether what a call gave changes when the session is called again, up to `RING` times."""
        if len(self._order) < 2:
            return None
        given = self._call(part(self._feeds, 0, 1))
        kept = copied(given)
        for image in range(1, RING + 1):
            place = image % len(self._order) or 1
            self._call(part(self._feeds, place, place + 1))
        same = all(same_bits(given[name], kept[name]) for name in kept)
        return None if same else _fault("one-buffer", 1, 1)

    def batches(self, size: int) -> SessionFault | None:
        """Batches of consecutive images against the same images alone."""
        if size < 2 or len(self._order) < 2:
            return None
        groups = [self._group(start, size) for start in range(0, len(self._order), size)]
        outputs = [copied(self._call(taken(self._feeds, group))) for group in groups]
        errors = [self._ruler.errors(given, group) for given, group in zip(outputs, groups, strict=True)]
        wrong = [[bool(one > 1) for one in row] for row in errors]
        count = sum(map(sum, wrong))
        if not count:
            return None
        if not any(map(any, wrong[1:])) and self.is_right(groups[0]):
            return _fault("first-call", count, sum(map(len, groups)), size)
        found = _fault(self._batch_fault(groups, outputs, wrong, size), count, sum(map(len, groups)), size)
        return replace(found, first=tuple(groups[next(g for g, rows in enumerate(wrong) if any(rows))]))

    def is_right(self, images: Sequence[int]) -> bool:
        """Whether one batch of these images has the outputs of each."""
        group = list(images)
        return bool((self._ruler.errors(self._call(taken(self._feeds, group)), group) <= 1).all())

    def long(self, calls: int) -> SessionFault | None:
        """So many calls on single images, round and round."""
        images = (k % len(self._order) for k in range(calls))
        wrong = sum(self._wrong(self._call(part(self._feeds, image, image + 1)), image) for image in images)
        return _fault("later-calls", wrong, calls) if wrong else None

    def concurrent(self, threads: int) -> SessionFault | None:
        """Single images from several threads at once."""
        places = self._order * 2

        def wrong(image: int) -> bool:
            return self._wrong(self._call(part(self._feeds, image, image + 1)), image)

        with ThreadPoolExecutor(threads, "porter-diagnose") as pool:
            count = sum(pool.map(wrong, places))
        return _fault("threads", count, len(places)) if count else None

    def wrong_alone(self) -> int:
        """How many of the images, one at a time, are wrong."""
        return sum(self._wrong(self._call(part(self._feeds, image, image + 1)), image) for image in self._order)

    def _wrong(self, outputs: Outputs, image: int) -> bool:
        return bool(self._ruler.errors(outputs, [image])[0] > 1)

    def _group(self, start: int, size: int) -> list[int]:
        return [k % len(self._order) for k in range(start, start + size)]

    def _batch_fault(
        self, groups: Sequence[list[int]], outputs: Sequence[Outputs], wrong: Sequence[list[bool]], size: int
    ) -> str:
        if not all(outputs):
            return "refused"
        rows = [(g, r) for g, group in enumerate(wrong) for r, bad in enumerate(group) if bad]
        if {r for _, r in rows} == {size - 1} and not _nonfinite(outputs, rows):
            return "last-row"
        if _constant(outputs, rows):
            return "swallowed-errors"

        def earlier(g: int) -> set[int]:
            return {image for group in groups[:g] for image in group}

        instead = {(g, r): self._ruler.nearest(outputs[g], r, groups[g][r]) for g, r in rows}
        elsewhere = [found for found in instead.values() if found is not None]
        if len(elsewhere) * 2 > len(rows):
            if all(instead[g, r] == groups[g][0] for g, r in rows):
                return "first-for-all"
            if all(found not in groups[g] and found in earlier(g) for (g, _), found in instead.items()):
                return "batch-before"
            if all(instead[g, r] in self._answered(groups[g], wrong[g]) for g, r in rows):
                return "repeated-rows"
            return "shuffled-rows"
        if _nonfinite(outputs, rows):
            return "nan-rows"
        return self._neighbours_or_place(rows[0], groups, size)

    @staticmethod
    def _answered(group: Sequence[int], wrong: Sequence[bool]) -> set[int]:
        """The images of a batch that have their own outputs."""
        return {image for image, bad in zip(group, wrong, strict=True) if not bad}

    def _neighbours_or_place(self, at: tuple[int, int], groups: Sequence[list[int]], size: int) -> str:
        """A wrong image alone in a batch, at every place of it; then at the first place, among copies of two others."""
        image = groups[at[0]][at[1]]
        same = copied(self._call(taken(self._feeds, [image] * size)))
        errors = self._ruler.errors(same, [image] * size)
        if (errors <= 1).all():
            return "neighbours"
        if any(self._ruler.apart(_row(same, 0), _row(same, k)) for k in range(1, size)):
            return "place"
        others = [k for k in self._order if k != image]
        company = [
            _row(copied(self._call(taken(self._feeds, [image, *[other] * (size - 1)]))), 0)
            for other in (others[0], others[-1])
        ]
        return "neighbours" if self._ruler.apart(*company) else "batch-size"


def later_calls(fault: SessionFault) -> SessionFault:
    """What a fault is that a session does not show at first."""
    return _fault("later-calls", fault.wrong, fault.rows, fault.size)


def late(wrong: int, rows: int, of_others: int) -> SessionFault:
    """Single images that are wrong because they were called late; `of_others` have the outputs of another image."""
    return _fault("batch-before" if of_others * 2 > wrong else "later-calls", wrong, rows)


def _fault(name: str, wrong: int, rows: int, size: int = 1) -> SessionFault:
    return SessionFault(name=name, title=TITLES[name], wrong=wrong, rows=rows, size=size)


def _row(outputs: Outputs, row: int) -> dict[str, np.ndarray]:
    return part(outputs, row, row + 1)


def _nonfinite(outputs: Sequence[Outputs], rows: Sequence[tuple[int, int]]) -> bool:
    import numpy as np

    return all(
        any(len(values) > r and not np.isfinite(values[r]).all() for values in outputs[g].values()) for g, r in rows
    )


def _constant(outputs: Sequence[Outputs], rows: Sequence[tuple[int, int]]) -> bool:
    """Whether each of these rows holds one finite value throughout, of outputs that have more than one."""
    return not _nonfinite(outputs, rows) and all(
        values[r].size > 1 and bool((values[r] == values[r].flat[0]).all())
        for g, r in rows
        for values in outputs[g].values()
    )
