"""A session of an artefact under the conditions of the run: its settings, its batches, its streams."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from porter.contracts.rows import Rows, copied, count_of, part, single
from porter.contracts.runtime import Session
from porter.diagnose.found import Found, finding, ruled_out
from porter.diagnose.sessions.ruler import Ruler
from porter.diagnose.sessions.session_faults import SessionFault, SessionTrials, late, later_calls
from porter.errors import PorterError
from porter.pipeline.diagnosis.conditions import Conditions
from porter.pipeline.evaluation.subject import Subject
from porter.pipeline.job.opening import open_artefact
from porter.pipeline.session_checks.check_names import BATCH_BEFORE, FIRST_CALL
from porter.records.artefact import Artefact, SessionInfo
from porter.records.diagnosed import Surety
from porter.records.message import Message, Text
from porter.records.parity import Tolerance

if TYPE_CHECKING:
    import numpy as np

SINGLES = 16
"""Images that are called one at a time."""
LONG = 64
"""Calls of one session where a fault is sought that shows late."""


def reference_trial(conditions: Conditions) -> Found:
    """Whether the model as it was loaded answers batches as it answers their images."""
    ruler = Ruler(conditions.truth, Tolerance())
    trials = SessionTrials(conditions.call(conditions.job.reference, []), conditions.feeds, ruler)
    size = conditions.job.request.evaluation_batch
    if (fault := trials.batches(size)) is None:
        return ruled_out(Message("the reference's batches"), Message("samples equal at batch 1 and {size}", size=size))
    text = Message(
        "reference: the loaded model: {fault} ({wrong} of {rows} samples at batch {size})",
        fault=fault.title,
        wrong=fault.wrong,
        rows=fault.rows,
        size=size,
    )
    return finding(f"reference {fault.name}", text, conditions.command("export"), Surety.LOCATED)


def session_trial(conditions: Conditions, artefact: Artefact) -> Found:
    """The artefact on one thread, one image at a time; in batches; and opened as it was scored.

    Each way is held against the one before it, so that a fault is laid at what was changed last.
    """
    try:
        return _Trial(conditions, artefact).found()
    except PorterError as error:
        text = Message("runtime: {artefact} fails to run: {problem}", artefact=artefact.id, problem=str(error))
        return finding("runtime open", text, conditions.command("verify"), Surety.LOCATED)


class _Trial:
    def __init__(self, conditions: Conditions, artefact: Artefact) -> None:
        self._all, self._artefact = conditions, artefact
        self._tolerance = conditions.bound(artefact).tolerance
        self._ruler = Ruler(conditions.truth, self._tolerance)
        self._problems: list[str] = []
        job = conditions.job
        parity = next((one for one in conditions.record.parity if one.candidate == artefact.id), None)
        broken = {one.batch for one in parity.outputs if not one.passed} if parity is not None else set()
        wanted = {job.request.evaluation_batch, max(job.request.batch_sizes, default=1), *broken} - {1}
        self._sizes = sorted(wanted, reverse=True)  # a small batch cannot tell a place from the last row

    def found(self) -> Found:
        job, few = self._all.job, part(self._all.feeds, 0, SINGLES)
        with closing(open_artefact(job, self._artefact, check=False, threads=1, streams=1)) as plain:
            plainly = SessionTrials(self._call(plain), few, self._ruler)
            if (fault := plainly.unfinished() or plainly.in_turn() or plainly.buffer()) is not None:
                return self._told(fault, plain.info)
            own = [copied(self._call(plain)(single(one.arrays))) for one in self._all.images]
            if (fault := plainly.by_now(own) or self._late(own)) is not None:
                return self._told(fault, plain.info)
            self._measure_by(own)
            if (fault := self._in_batches(plain)) is not None:
                with closing(open_artefact(job, self._artefact, check=False, threads=1, streams=1)) as again:
                    return self._told(self._at_once(fault, again), plain.info)
        with Subject(artefact=self._artefact).opened(job) as session:
            info = session.info
            if (blamed := self._as_scored(session, few)) is not None:
                return blamed
        evidence = Message(
            "samples equal one at a time and at batch {sizes}, with 1 thread and with {threads} in {streams} streams",
            sizes=tuple(map(str, self._sizes)),
            threads=info.threads or 1,
            streams=info.streams,
        )
        return ruled_out(Message("threads, streams and batch of {artefact}", artefact=self._artefact.id), evidence)

    def _call(self, session: Session):  # type: ignore[no-untyped-def]
        return self._all.call(session, self._problems)

    def _late(self, own: list[dict[str, np.ndarray]]) -> SessionFault | None:
        """Images that were wrong when they were called, and are correct as the first call of another session."""
        wrong = [image for image, one in enumerate(own) if self._ruler.errors(one, [image])[0] > 1]
        if not wrong:
            return None
        with closing(open_artefact(self._all.job, self._artefact, check=False, threads=1, streams=1)) as opened:
            at_first = SessionTrials(self._call(opened), self._all.feeds, self._ruler).is_right(wrong[-1:])
        of_others = sum(self._ruler.nearest(own[image], 0, image) is not None for image in wrong)
        return late(len(wrong), len(own), of_others) if at_first else None

    def _measure_by(self, own: list[dict[str, np.ndarray]]) -> None:
        """From here on by what the artefact gives plainly: which numbers are right is another question. What rounds by
        design may round otherwise in another batch, by as much as it lies off the reference."""
        errors = [self._ruler.errors(one, [image])[0] for image, one in enumerate(own)]
        slack = 1.0 if self._all.bound(self._artefact).binding else 2 * max(1.0, *errors)
        if all(own) and math.isfinite(slack):
            wide = Tolerance(atol=slack * self._tolerance.atol, rtol=slack * self._tolerance.rtol)
            self._ruler = Ruler(own, wide)

    def _in_batches(self, session: Session) -> SessionFault | None:
        trials = SessionTrials(self._call(session), self._all.feeds, self._ruler)
        return next((fault for size in self._sizes if (fault := trials.batches(size)) is not None), None)

    def _at_once(self, fault: SessionFault, opened: Session) -> SessionFault:
        """The fault, or another where the first call of a session does not show it."""
        if fault.name in (BATCH_BEFORE, FIRST_CALL):  # there is none before the first call
            return fault
        at_first = SessionTrials(self._call(opened), self._all.feeds, self._ruler).is_right(fault.first)
        return later_calls(fault) if at_first else fault

    def _as_scored(self, session: Session, few: Rows) -> Found | None:
        """As the run opened it. What is wrong throughout comes of the settings, or of what an earlier session kept."""
        trials, info = SessionTrials(self._call(session), few, self._ruler), session.info
        fault = trials.in_turn()
        if fault is None and trials.wrong_alone():
            return self._setting(info, trials.wrong_alone(), count_of(few))
        if fault is None and (found := self._in_batches(session)) is not None:
            with Subject(artefact=self._artefact).opened(self._all.job) as again:
                fault = self._at_once(found, again)
        if fault is None and info.streams > 1:
            fault = trials.concurrent(info.streams)
        if fault is None and {"accuracy", "parity", "runtime"} & set(self._all.failed):
            fault = trials.long(LONG)
        return None if fault is None else self._told(fault, info)

    def _setting(self, info: SessionInfo, wrong: int, rows: int) -> Found:
        """Which setting does it: each is tried alone, from the plain ones on."""
        job, threads = self._all.job, info.threads or 1
        for name, settings in self._settings(threads, info.streams):
            with closing(
                open_artefact(job, self._artefact, check=False, threads=settings[0], streams=settings[1], at_most=True)
            ) as session:
                trials = SessionTrials(self._call(session), part(self._all.feeds, 0, SINGLES), self._ruler)
                if trials.wrong_alone():
                    return self._blamed(*name, wrong, rows)
        kept = Message("its compiled cache of an earlier session is outdated: correct when compiled again")
        return self._blamed("stale-file", kept, wrong, rows)

    @staticmethod
    def _settings(threads: int, streams: int) -> Iterator[tuple[tuple[str, Message], tuple[int, int]]]:
        if threads > 1:
            title = Message("correct with 1 thread, wrong with {threads}", threads=threads)
            yield ("more-threads", title), (threads, 1)
        if streams > 1:
            title = Message("correct with 1 stream, wrong with {streams}", streams=streams)
            yield ("more-streams", title), (threads, streams)

    def _told(self, fault: SessionFault, info: SessionInfo) -> Found:
        title: Text = fault.title
        if self._problems:
            title = Message("{fault}: {problem}", fault=fault.title, problem=self._problems[0])
        where = Message("threads {threads}, streams {streams}", threads=info.threads or 1, streams=info.streams)
        return self._blamed(fault.name, title, fault.wrong, fault.rows, where, fault.size)

    def _blamed(self, name: str, title: Text, wrong: int, rows: int, where: Text = "", size: int = 1) -> Found:
        text = Message(
            "runtime: {artefact}: {fault} ({wrong} of {rows} samples wrong; batch {size})",
            artefact=self._artefact.id,
            fault=title,
            wrong=wrong,
            rows=rows,
            size=size,
        )
        if where:
            text = Message(
                "runtime: {artefact}: {fault} ({wrong} of {rows} samples wrong; batch {size}, {where})",
                artefact=self._artefact.id,
                fault=title,
                wrong=wrong,
                rows=rows,
                size=size,
                where=where,
            )
        return finding(f"runtime {name}", text, self._all.command("verify"), Surety.LOCATED)
