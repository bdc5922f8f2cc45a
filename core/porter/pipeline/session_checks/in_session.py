"""The session that is scored or timed, while it is: rows of its batches against the same images alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, count_of, joined, part, taken
from porter.pipeline.session_checks.calls import against_alone, at_once
from porter.pipeline.session_checks.check_names import LATER_CALLS, THREADS, finding
from porter.pipeline.session_checks.rows_alike import Run, rows_off
from porter.records.coverage import SettingCheck
from porter.records.message import Message
from porter.records.parity import Tolerance
from porter.records.session_finding import SessionFinding

if TYPE_CHECKING:
    pass


class InSession:
    """One session at one batch size. `run` runs a batch; `callers` calls are made at once where it counts."""

    def __init__(self, run: Run, tolerance: Tolerance, *, batch: int, streams: int, callers: int | None = None) -> None:
        self._run, self._tolerance = run, tolerance
        self._batch, self._streams, self._callers = batch, streams, callers or streams
        self._rows = self._over = 0
        self._findings: list[SessionFinding] = []

    def alone(
        self, batch: Rows, got: Rows, rows: Sequence[int], *, threads: bool = False, by_another: bool = False
    ) -> None:
        """Some rows of a batch, whose outputs are `got`, against a call for each image.

        `threads`: the calls are made once more, from all callers at once. `by_another`: another thread than this one
        may have called the batch.
        """
        rows = sorted(set(rows))
        images = [part(batch, row, row + 1) for row in rows]
        each = [copied(self._run(image)) for image in images]
        alone = joined(each)
        off = rows_off(alone, taken(got, rows), self._tolerance)
        self.add(len(rows), int(off.sum()))
        if off.any() and by_another and self._is_right_now(batch, rows, alone):
            detail = Message(
                "a batch of {rows} is wrong from one thread and correct from another", rows=count_of(batch)
            )
            self._findings.append(finding(THREADS, detail))
        else:
            self._findings += against_alone(self._run, batch, got, alone, self._tolerance, rows)
        if threads and self._callers > 1:
            self._findings += at_once(self._run, images, each, self._tolerance, self._callers)

    def _is_right_now(self, batch: Rows, rows: list[int], alone: Rows) -> bool:
        """Whether these rows of the batch are those of the images alone, where no other call is made beside it."""
        return not rows_off(alone, taken(copied(self._run(batch)), rows), self._tolerance).any()

    def later(self, first: Rows, last: Rows) -> None:
        """The outputs of one batch before and after many calls."""
        off = rows_off(first, last, self._tolerance)
        self.add(len(off), int(off.sum()))
        if off.any():
            detail = Message(
                "{wrong} of {rows} samples of the same batch changed after the timed calls",
                wrong=int(off.sum()),
                rows=len(off),
            )
            self._findings.append(finding(LATER_CALLS, detail))

    def add(self, rows: int, over: int) -> None:
        """Note rows that were compared elsewhere."""
        self._rows += rows
        self._over += over

    def found(self, *findings: SessionFinding) -> None:
        """Note what was found elsewhere."""
        self._findings += findings

    def result(self) -> SettingCheck:
        """All of it, each finding once."""
        findings = tuple({one.check: one for one in reversed(self._findings)}.values())[::-1]
        return SettingCheck(
            batch=self._batch, streams=self._streams, rows=self._rows, over=self._over, findings=findings
        )


def merged(checks: Iterable[SettingCheck]) -> tuple[SettingCheck, ...]:
    """One for each batch size and number of streams: several sessions may have answered."""
    found: dict[tuple[int, int], SettingCheck] = {}
    for one in checks:
        key = (one.batch, one.streams)
        known = found.get(key)
        if known is not None:
            findings = {told.check: told for told in (*one.findings, *known.findings)}
            one = replace(
                one, rows=known.rows + one.rows, over=known.over + one.over, findings=tuple(findings.values())
            )
        found[key] = one
    return tuple(found.values())
