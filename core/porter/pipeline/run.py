"""A run: its folder, the record so far, and the loop that carries stages out."""

from __future__ import annotations

from dataclasses import replace
from functools import partialmethod

from porter.errors import ExitCode
from porter.pipeline.build import built, say_elsewhere
from porter.pipeline.delivering import deliver_documents
from porter.pipeline.failing import to_finish
from porter.pipeline.job.job import Job
from porter.pipeline.job.preflight import preflight
from porter.pipeline.judge.verdicts import exit_code
from porter.pipeline.kept.removals import Watched, remove_earlier
from porter.pipeline.kept.standing import remove_replaced_models, standing
from porter.pipeline.saving import save
from porter.pipeline.stages import NAMED, STAGES, Stage, Step
from porter.records.record import OutputFile, RunRecord
from porter.runfolder.sections import lost, sections_of


class Run:
    """What is to be done in a folder, and what of it is done: `record` is what run.json has after every stage."""

    def __init__(
        self, job: Job, record: RunRecord, *, fresh: bool = False, before: tuple[OutputFile, ...] = ()
    ) -> None:
        """`before` are the files of an earlier run in the folder; with `fresh` nothing of it is kept."""
        self.job, self.record = job, record
        self._fresh, self._before = fresh, before
        self._watched = Watched(job.folder, before)

    def everything(self) -> ExitCode:
        """All stages in order, those left out whose result an earlier command left and which still holds.

        A file that fails parity is not scored; the documents are written all the same.
        """
        preflight(self.job)
        # What no longer holds goes with the first stage that is saved: until then a mistake costs nothing.
        record = self._stand()
        for stage in STAGES:
            if not stage.wanted(self.job, record) or stage.holds(self.job, record):
                continue
            self.record = record = self._done(stage, stage.do, self._prepared(stage, record))
        failing = [one.candidate for one in record.parity if not one.passed]
        if failing and not record.evaluations:
            self.job.progress.note(f"{', '.join(failing)} fails parity; no artefact is scored or measured")
        return exit_code(record)

    def alone(self, name: str) -> ExitCode:
        """One stage, whether the record has its result or not."""
        stage, unbuilt = NAMED[name], not self.record.artefacts
        record = self._prepared(stage, self.record)
        if built in stage.needs and unbuilt:
            say_elsewhere(self.job)
        before, self.record = self.record, self._done(stage, stage.alone or stage.do, record)
        if cleared := lost(before, self.record):
            self.job.progress.note(f"cleared {', '.join(cleared)}: they are older than this {name}")
        if self._watched.documents and not stage.saves:
            self.record = deliver_documents(self.job, self.record)  # those that were there showed an earlier record
        return stage.code(self.record)

    export = partialmethod(alone, "export")
    verify = partialmethod(alone, "verify")
    preprocess = partialmethod(alone, "preprocess")
    infer = partialmethod(alone, "infer")
    evaluate = partialmethod(alone, "evaluate")
    bench = partialmethod(alone, "bench")
    diagnose = partialmethod(alone, "diagnose")
    deliver = partialmethod(alone, "deliver")

    def say_what_is_gone(self) -> None:
        """A line for what was removed from the folder and not written again."""
        for line in self._watched.lines():
            self.job.progress.note(line)

    def _prepared(self, stage: Stage, record: RunRecord) -> RunRecord:
        """The record with what the stage needs."""
        for needed in stage.needs:
            record = needed(self.job, record)
        if built in stage.needs:
            remove_replaced_models(self.job, record, self._before)
            self._before = ()
        return record

    def _done(self, stage: Stage, do: Step, record: RunRecord) -> RunRecord:
        record = do(self.job, record)
        return record if stage.saves else save(self.job, record)

    def _stand(self) -> RunRecord:
        """The record without what no longer holds; says what is kept and when it was measured."""
        if self._fresh:
            for line in remove_earlier(self.job.folder, self._before):
                self.job.progress.note(line)
            return self.record
        measured = self.record.finished
        record, reasons = standing(self.job, to_finish(self.record))
        for reason in reasons:
            self.job.progress.note(f"{reason}; results that depend on it are redone")
        kept = sections_of(record)
        if kept:
            self.job.progress.note(f"reused from the run of {measured}: {', '.join(kept)} (--fresh redoes everything)")
        return replace(record, kept=kept)
