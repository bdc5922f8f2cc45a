"""The order of the stages. Each reads the record and files, and writes them; none reaches back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from porter.documents.deliver import deliver
from porter.documents.templates import Templates
from porter.errors import BadInput, ExitCode, PluginError, PorterError
from porter.files.whole import write_whole
from porter.machine.clock import now
from porter.pipeline import verify
from porter.pipeline.build import as_they_are, build, quantised
from porter.pipeline.diagnosing import diagnose
from porter.pipeline.evaluation import approximate
from porter.pipeline.evaluation.evaluate import Pass, evaluate, predictions_file
from porter.pipeline.evaluation.executors.base import Executor, Work
from porter.pipeline.evaluation.executors.local import Local
from porter.pipeline.evaluation.judging import NONFINITE_REASON
from porter.pipeline.evaluation.scoring import FAILURES_KEPT
from porter.pipeline.evaluation.sources import Sources
from porter.pipeline.evaluation.subject import subjects
from porter.pipeline.evaluation.thumbnails import with_thumbnails
from porter.pipeline.evaluation.written_arrays import write_outputs, write_tensors
from porter.pipeline.export import export
from porter.pipeline.job.data_report import listing
from porter.pipeline.job.inputs import MODEL_FILES
from porter.pipeline.job.job import Job
from porter.pipeline.judge import verdicts
from porter.pipeline.judge.tolerance import bound_for
from porter.pipeline.kept.removals import Removals, cleared, remove_earlier
from porter.pipeline.kept.standing import standing
from porter.pipeline.kits import write_kits
from porter.pipeline.load import check_digests, load, require_unchanged, with_data_of
from porter.pipeline.precision.attempts import forget
from porter.pipeline.precision.choose import choose
from porter.pipeline.speed import bench as benching
from porter.pipeline.speed.tune import TRIAL_SECONDS, tune
from porter.records.evaluation import Evaluation, Failure
from porter.records.record import OutputFile, RunRecord
from porter.runfolder.commands import commands_of
from porter.runfolder.layout import DOCUMENTS, PREDICTIONS, RECORD_NAME
from porter.runfolder.record_file import write_record
from porter.runfolder.sections import sections_of
from porter.runfolder.written import written


class Run:
    """A run's folder, and the stages on it. Every public method is one stage; each writes run.json at its end."""

    def __init__(
        self,
        job: Job,
        record: RunRecord,
        *,
        fresh: bool = False,
        before: tuple[OutputFile, ...] = (),
        executor: Executor | None = None,
    ) -> None:
        self.job = job
        self.record = record
        self._executor = executor or Local()
        self._from_files = True
        self._fresh, self._before = fresh, before
        self._removals = Removals(job.folder)

    # --- the stages -------------------------------------------------------------------------------------------

    def everything(self, templates: Path | None = None) -> ExitCode:
        """All stages in order, those left out whose result an earlier command left and which still holds.

        A file that fails parity is not scored; the documents are written all the same.
        """
        self.job.preflight()
        self._stand()  # what no longer holds goes with the first stage saved: until then a mistake costs nothing
        self._from_files = False
        if self.record.export is None:
            self.export()
        self._list()
        if not (self.record.parity and self.record.preprocessing):
            self.verify()
        auto = self.job.request.is_auto
        if all(one.passed for one in self.record.parity) or (auto and self.record.scorable):
            if self.job.plan.elsewhere and not self.record.kits:
                self.record = write_kits(self.job, self.record)
                self._save()
            if not self.record.evaluations:
                self.evaluate()
            self._bench(keep=True)
            if auto and self.record.choice is None:
                self._choose()
        else:
            failed = ", ".join(one.candidate for one in self.record.parity if not one.passed)
            self.job.progress.note(f"{failed} fails parity: no artefact is scored or measured")
        return self.deliver(templates)

    def export(self) -> ExitCode:
        """load and export: the checkpoint to a checked ONNX file."""
        check_digests(self.job)
        self._clear(["load"], "exported again", "load", "export")
        try:
            self.record = load(self.job, self.record)
        except (BadInput, PluginError) as error:
            self._note_failed_load(error)
            raise
        self.record = export(self.job, self.record)
        return self._save()

    def verify(self) -> ExitCode:
        """Parity of every artefact with the reference, and of the preprocessing with its spec."""
        self._require_export()
        self._list()
        self._build()
        self._take_as_it_is()
        assert self.record.export is not None
        operators = self.record.export.facts.operators
        images = verify.sample(self.job)
        parity = []
        with self.job.progress.step("verify"):
            preprocessing = verify.verify_preprocessing(self.job, images)
            for artefact in self.record.artefacts:
                bound = bound_for(self.job.request, self.job.precision(artefact.precision), operators)
                try:
                    session = self.job.open(artefact)
                except BadInput as error:  # a file that the runtime refuses is the artefact's fault, not the user's
                    parity.append(verify.unopened(self.job, artefact.id, str(error), bound))
                    continue
                with closing(session):
                    parity.append(verify.verify(self.job, artefact.id, session, images, bound))
        self.record = replace(self.record, parity=tuple(parity), preprocessing=preprocessing)
        self._save()
        return ExitCode.OK if all(one.passed for one in parity) else ExitCode.VERDICT_FAILED

    def preprocess(self) -> ExitCode:
        """Write the preprocessed tensors of every image of the manifest to `tensors/`; those that hold are kept."""
        self._list()
        entries = write_tensors(self.job, self._sources())
        failed = [Failure(id=entry.id, reason=entry.reason) for entry in entries if entry.reason]
        assert self.record.data is not None
        data = replace(
            self.record.data,
            decoded=len(entries) - len(failed),
            failed=len(failed),
            failures=tuple(failed[:FAILURES_KEPT]),
        )
        self.record = replace(self.record, data=data)
        return self._save()

    def infer(self) -> ExitCode:
        """Write the outputs of the reference and of every artefact, for every image, to `outputs/`; those that hold are
        kept."""
        self._require_export()
        self._list()
        self._build()
        for subject in subjects(self.record):
            write_outputs(self.job, self._sources(), subject)
        return self._save()

    def evaluate(self) -> ExitCode:
        """Score the reference and every artefact over the manifest."""
        self._require_export()
        self._list()
        self._build()
        self._clear(["choice"], "evaluated again")
        passes: list[Pass] = []
        sources = Sources(self.job, self.record, from_files=self._from_files and self._executor.reads_files)
        with predictions_file(self.job) as sink:
            for subject in subjects(self.record):
                reference = passes[0].answers if passes else None
                work = Work(job=self.job, subject=subject, sources=sources, start=0)
                passes.append(evaluate(work, self._executor, sink, reference=reference))
        self._note_data(passes[0])
        self._note_machine()
        suspects = self.job.task.explain_labels(passes[0].answers.answers, self.job.manifest.items, self.job.spec)
        evaluations = with_thumbnails(self.job, [one.evaluation for one in passes])
        self.record = replace(self.record, evaluations=evaluations, label_suspects=suspects)
        if self.job.request.approximate_decode:
            self.record = replace(self.record, approximation=approximate.measure(self.job, passes[0]))
        self.record = verdicts.compare(self.record, self.job.spec, self.job.task, self.job.manifest)
        if len(passes) > 1:
            self._write_task_files(passes[1].evaluation)
        return self._save()

    def bench(self) -> ExitCode:
        """Measure every artefact at every batch size."""
        self._require_export()
        if self.job.request.bench_input == "images":
            self._list()
        self._build()
        return self._bench(keep=False)

    def diagnose(self) -> ExitCode:
        """Find where the accuracy went, and write it into the record and the documents."""
        self._require_export()
        self._list()
        self._build()
        self.record = replace(self.record, diagnosis=diagnose(self.job, self.record))
        return self.deliver()

    def deliver(self, templates: Path | None = None) -> ExitCode:
        """Write the documents from the record alone; answers with the exit code that the verdicts give.

        `templates` is a folder of the user's own, see `porter.documents.deliver`.
        """
        of_plugin = self.job.offer.templates
        self.record = replace(self.record, templates="" if of_plugin is None else self.job.hooks.plugin)
        self._save()
        deliver(self.job.folder, self.record, Templates(user=templates, plugin=of_plugin))
        return verdicts.exit_code(self.record)

    # --- what they share --------------------------------------------------------------------------------------

    def say_what_is_gone(self) -> None:
        """A line for what was removed from the folder and not written again."""
        for line in self._removals.lines(self.record.request.languages):
            self.job.progress.note(line)

    def _clear(self, sections: list[str], reason: str, *made: str) -> None:
        self.record = cleared(self.record, sections, reason, self.job.progress, made=made)

    def _note_failed_load(self, error: PorterError) -> None:
        """The verdict "weights" fails, and the documents say why; the error still ends the command."""
        self.record = replace(self.record, load_failure=str(error), model=self.job.spec, inputs=self.job.inputs())
        self.deliver()

    def _require_export(self) -> None:
        if self.record.export is None or self.record.model is None:
            raise BadInput(
                f"{self.job.folder / RECORD_NAME}: nothing was exported with these options; "
                f"run `porter export {self.job.request.model} --out {self.job.folder}` first"
            )
        require_unchanged(self.record, self.job.inputs(), MODEL_FILES)

    def _stand(self) -> None:
        """Clear what no longer holds of an earlier record, and say what is kept and when it was measured."""
        if self._fresh:
            for line in remove_earlier(self.job.folder, self._before):
                self.job.progress.note(line)
            return
        measured = self.record.finished
        self.record, reasons = standing(self.job, self.record)
        for reason in reasons:
            self.job.progress.note(f"{reason}: what was made from it is made again")
        kept = sections_of(self.record)
        self.record = replace(self.record, kept=kept)
        if kept:
            self.job.progress.note(f"kept from the run of {measured}: {', '.join(kept)} (--fresh makes all anew)")

    def _bench(self, *, keep: bool) -> ExitCode:
        """Measure what is not there yet; with `keep` False everything. Each artefact's figures are saved at once."""
        known = self.record.performance if keep else ()
        ids = [artefact.id for artefact in self.record.scorable]
        kept_ids = {one.artefact for one in known}.intersection(ids)
        self.record = replace(
            self.record,
            performance=tuple(one for one in known if one.artefact in kept_ids),
            tunings=tuple(one for one in self.record.tunings if one.artefact in kept_ids),
        )
        missing = [one for one in self.record.scorable if one.id not in {p.artefact for p in known}]
        if missing:
            self._clear(["choice"], "measured again")
        request = self.job.request
        seconds = min(TRIAL_SECONDS, request.bench_seconds)
        images = benching.bench_images(self.job) if missing else []
        for artefact in missing:
            tunings = (tune(self.job, artefact, images, seconds=seconds),) if request.tune or request.is_auto else ()
            found = benching.bench(self.job, artefact, images, *tunings)
            self.record = replace(
                self.record,
                performance=(*self.record.performance, *found),
                tunings=(*self.record.tunings, *tunings),
            )
            self._note_machine()
            self._save()
        return self._save()

    def _choose(self) -> None:
        """Of what `auto` tried, the fastest that is right; the task's own files are then about it."""
        self.record = choose(self.job, self.record)
        chosen = self.record.evaluation(self.record.choice.chosen) if self.record.choice is not None else None
        if chosen is not None:
            self._write_task_files(chosen)
        self._note_machine()
        self._save()

    def _write_task_files(self, evaluation: Evaluation) -> None:
        """The accuracy of one artefact in the task's own formats."""
        documents = self.job.task.documents(evaluation.metrics, self.job.spec)
        for name, data in documents.items():
            if name not in self.job.task.files:
                raise PluginError(
                    f"task {self.job.task.name!r}: documents() wrote {name!r}, which its `files` do not name"
                )
            write_whole(self.job.folder / name, data)
        self.record = replace(self.record, task_files=tuple(documents))

    def _list(self) -> None:
        """List the images once; what the manifest says goes to the record, and so do the labels by content."""
        report = listing(self.job)
        inputs = with_data_of(self.record, self.job.inputs())
        known = self.record.data
        if known is not None and known.manifest_sha256 == report.manifest_sha256 and inputs == self.record.inputs:
            return
        for warning in report.warnings:
            self.job.progress.note(str(warning))
        self._clear(["data"], "the images or their labels changed", "data")
        self.record = replace(self.record, data=report, model=self.job.spec, inputs=inputs)

    def _build(self) -> None:
        """Make every artefact, unless they are there."""
        if not self.record.artefacts and self.record.export is not None:
            before = self.record.quantization
            self.record, problem = quantised(self.job, self.record)
            if problem or self.record.quantization is not before:
                self._save()  # the search can take long
                forget(self.job.folder)
            self.record = build(self.job, self.record, problem)
            for runtime, _ in self.job.plan.elsewhere if self._from_files else ():
                self.job.progress.note(
                    f"{runtime.name} is not here: nothing is built for it (`porter run` writes a kit)"
                )

    def _take_as_it_is(self) -> None:
        """Verify what lies in the folder, even if somebody changed it after it was built."""
        artefacts = as_they_are(self.job, self.record.artefacts)
        if artefacts != self.record.artefacts:
            self._clear(["artefacts"], "another file is verified", "artefacts")
            self.record = replace(self.record, artefacts=artefacts)

    def _sources(self) -> Sources:
        return Sources(self.job, self.record, from_files=self._from_files)

    def _note_machine(self) -> None:
        """The machine of the figures just measured; looking at a record elsewhere does not change it."""
        self.record = replace(self.record, environment=self.job.environment)

    def _note_data(self, first: Pass) -> None:
        assert self.record.data is not None
        evaluation = first.evaluation
        assert evaluation.unreadable is not None  # it was made here
        self.record = replace(
            self.record,
            data=replace(
                self.record.data,
                decoded=evaluation.listed - evaluation.unreadable,
                failed=evaluation.unreadable,
                failures=tuple(f for f in evaluation.failures if f.reason != NONFINITE_REASON),
                conversions=first.conversions,
                content_sha256=first.content_sha256,
            ),
        )

    def _save(self) -> ExitCode:
        self.record = replace(
            self.record,
            finished=now(),
            commands=commands_of(self.record.request, self.job.folder),
            files=written(self.job.folder, self.record),
        )
        self.record = verdicts.judge(self.record)
        self._removals.remove(DOCUMENTS)  # made from the record as it was
        if not self.record.evaluations:
            self._removals.remove((PREDICTIONS, *self.job.task.files))
        write_record(self.job.folder, self.record)
        return verdicts.exit_code(self.record)
