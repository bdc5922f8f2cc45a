"""The order of the stages. Each reads the record and files, and writes them; none reaches back."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import porter
from porter import machine
from porter.commands import commands_of
from porter.contracts.progress import Progress
from porter.contracts.runtime import BuildRequest, Session
from porter.errors import BadInput, ExitCode, PluginError, PorterError, one_line
from porter.hashes import file_digest
from porter.plugins.registry import Registry
from porter.records.artefact import ArtefactPart
from porter.records.evaluation import Failure
from porter.records.request import RunRequest
from porter.records.run import DataReport, OutputFile, RunRecord, State
from porter.records.store import RECORD_NAME, read_record, write_record, write_whole
from porter.sections import clear, stale_after, stale_between
from porter.stages import bench as benching
from porter.stages import verdicts, verify
from porter.stages.deliver import README, REPRODUCE, deliver
from porter.stages.diagnose import diagnose
from porter.stages.evaluate import PREDICTIONS, Pass, answer, evaluate, predictions_file
from porter.stages.export import MODELS, export
from porter.stages.files import manifest_sha256, output_entries, tensor_entries
from porter.stages.job import Job
from porter.stages.load import MODEL_FILES, load, require_unchanged, with_data_of
from porter.stages.prepare import Prepared, prepare
from porter.stages.scoring import FAILURES_KEPT, NONFINITE_REASON
from porter.stages.sources import Sources
from porter.stages.tolerance import bound_for

REFERENCE = verdicts.REFERENCE
Advance = Callable[[int], None]


class Run:
    """A run's folder, and the stages on it. Every public method is one stage; each writes run.json at its end."""

    def __init__(self, job: Job, record: RunRecord) -> None:
        self.job = job
        self.record = record
        self._from_files = True

    # --- the stages -------------------------------------------------------------------------------------------

    def everything(self, templates: Path | None = None) -> ExitCode:
        """All stages in order. A file that fails parity is not scored; the documents are written all the same."""
        self.job.preflight()
        self._forget(README, REPRODUCE, PREDICTIONS, *self.job.task.files)
        self._from_files = False
        self.export()
        parity = self.verify()
        if parity is ExitCode.OK:
            self.evaluate()
            self.bench()
        return self.deliver(templates)

    def export(self) -> ExitCode:
        """load and export: the checkpoint to a checked ONNX file."""
        self.record = clear(self.record, stale_after(["load"]))
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
                bound = bound_for(self.job.request, artefact.precision, operators)
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
        """Write the preprocessed tensors of every image of the manifest to `tensors/`."""
        self._list()
        folder = self._sources().tensors()
        with self.job.progress.step("preprocess", len(self.job.manifest.items)) as advance:
            entries = folder.write(tensor_entries(_counted(prepare(self.job), advance), self.job.manifest))
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
        """Write the outputs of the reference and of every artefact, for every image, to `outputs/`."""
        self._require_export()
        self._list()
        self._build()
        for name, session in self._sessions():
            folder = self._sources().outputs(name)
            with self.job.progress.step(f"infer {name}", len(self.job.manifest.items)) as advance:
                prepared = _counted(self._sources().prepared()[0], advance)
                stream = answer(self.job, session, prepared, self.job.request.evaluation_batch)
                folder.write(output_entries(stream, self.job.manifest))
        return self._save()

    def evaluate(self) -> ExitCode:
        """Score the reference and every artefact over the manifest."""
        self._require_export()
        self._list()
        self._build()
        passes: list[Pass] = []
        with predictions_file(self.job) as sink:
            for name, session in self._sessions():
                stream, source = self._sources().answered(name, session)
                title = session.info.runtime + " " + session.info.precision
                passes.append(
                    evaluate(
                        self.job,
                        name,
                        f"{title} (reference)" if name == REFERENCE else title,
                        session.info,
                        stream,
                        sink,
                        batch_size=self.job.request.evaluation_batch,
                        source=source,
                        reference=passes[0].answers if passes else None,
                    )
                )
        self._note_data(passes[0])
        self._note_machine()
        suspects = self.job.task.explain_labels(passes[0].answers.answers, self.job.manifest.items, self.job.spec)
        evaluations = tuple(one.evaluation for one in passes)
        self.record = replace(self.record, evaluations=evaluations, label_suspects=suspects)
        self.record = verdicts.compare(self.record, self.job.spec, self.job.task, self.job.manifest)
        documents = self.job.task.documents(passes[1].evaluation.metrics, self.job.spec)
        for name, data in documents.items():
            if name not in self.job.task.files:
                raise PluginError(
                    f"task {self.job.task.name!r}: documents() wrote {name!r}, which its `files` do not name"
                )
            write_whole(self.job.folder / name, data)
        self.record = replace(self.record, task_files=tuple(documents))
        return self._save()

    def bench(self) -> ExitCode:
        """Measure every artefact at every batch size."""
        self._require_export()
        if self.job.request.bench_input == "images":
            self._list()
        self._build()
        images = benching.bench_images(self.job)
        found = [one for artefact in self.record.artefacts for one in benching.bench(self.job, artefact, images)]
        self.record = replace(self.record, performance=tuple(found))
        self._note_machine()
        return self._save()

    def diagnose(self) -> ExitCode:
        """Find where the accuracy went, and write it into the record and the documents."""
        self._require_export()
        self._list()
        self._build()
        self.record = replace(self.record, diagnosis=diagnose(self.job, self.record))
        return self.deliver()

    def deliver(self, templates: Path | None = None) -> ExitCode:
        """Write the documents from the record alone; answers with the exit code that the verdicts give.

        `templates` is a folder of the user's own, see `porter.stages.deliver`.
        """
        self._save()
        deliver(self.job.folder, self.record, templates)
        return exit_code(self.record)

    # --- what they share --------------------------------------------------------------------------------------

    def _forget(self, *names: str) -> None:
        """Remove files of an earlier run or stage: beside a new record they would be taken for what it says."""
        for name in names:
            (self.job.folder / name).unlink(missing_ok=True)

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

    def _list(self) -> None:
        """List the images once; what the manifest says goes to the record, and so do the labels by content."""
        manifest = self.job.manifest
        report = DataReport(
            root=self.job.request.data or "shipped with the plugin",
            found=manifest.found,
            listed=len(manifest.items),
            selection=manifest.selection,
            labels_from=manifest.labels_from,
            label_offset=manifest.label_offset,
            manifest_sha256=manifest_sha256(manifest),
            warnings=manifest.warnings,
        )
        inputs = with_data_of(self.record, self.job.inputs())
        known = self.record.data
        if known is not None and known.manifest_sha256 == report.manifest_sha256 and inputs == self.record.inputs:
            return
        for warning in manifest.warnings:
            self.job.progress.note(warning)
        cleared = clear(self.record, stale_after(["data"]))
        self.record = replace(cleared, data=report, model=self.job.spec, inputs=inputs)

    def _build(self) -> None:
        """Make every artefact that is not there yet."""
        if self.record.artefacts or self.record.export is None:
            return
        plain = BuildRequest(
            onnx=self.job.folder / self.record.export.path, spec=self.job.spec, folder=self.job.folder / MODELS
        )
        with self.job.progress.step("build"):
            artefacts = tuple(
                self.job.build(runtime, replace(plain, precision=precision)) for runtime, precision in self.job.targets
            )
        self.record = replace(self.record, artefacts=artefacts)

    def _sessions(self) -> Iterator[tuple[str, Session]]:
        """The reference, then every artefact, each closed before the next is opened."""
        yield REFERENCE, self.job.reference
        for artefact in self.record.artefacts:
            with closing(self.job.open(artefact)) as session:
                yield artefact.id, session

    def _take_as_it_is(self) -> None:
        """Verify what lies in the folder, even if somebody changed it after it was built: that is what would ship."""
        artefacts = []
        for artefact in self.record.artefacts:
            first, *parts = (_as_it_is(self.job.folder, file) for file in artefact.files)
            for was, now in zip(artefact.files, (first, *parts), strict=True):
                if was.sha256 != now.sha256:
                    path = self.job.folder / now.path
                    self.job.progress.note(f"{path}: changed after it was built; the changed file is verified")
            if artefact.files != (first, *parts):
                artefact = replace(
                    artefact,
                    sha256=first.sha256,
                    size_bytes=first.size_bytes,
                    parts=tuple(parts),
                    command=verify.CHANGED,
                )
            artefacts.append(artefact)
        if tuple(artefacts) != self.record.artefacts:
            cleared = clear(self.record, stale_after(["artefacts"]))
            self.record = replace(cleared, artefacts=tuple(artefacts))

    def _sources(self) -> Sources:
        return Sources(self.job, self.record, from_files=self._from_files)

    def _note_machine(self) -> None:
        """The machine of the figures just measured; looking at a record elsewhere does not change it."""
        self.record = replace(self.record, environment=machine.describe())

    def _note_data(self, first: Pass) -> None:
        assert self.record.data is not None
        evaluation = first.evaluation
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
            finished=_now(),
            commands=commands_of(self.job.request, self.job.folder),
            files=_files(self.job.folder, self.record),
        )
        self.record = verdicts.judge(self.record)
        self._forget(README, REPRODUCE)  # made from the record as it was
        if not self.record.evaluations:
            self._forget(PREDICTIONS, *self.job.task.files)
        write_record(self.job.folder, self.record)
        return exit_code(self.record)


def begin(
    folder: Path, request: RunRequest, registry: Registry, progress: Progress, command: str, *, fresh: bool
) -> Run:
    """Start a run in `folder`, or go on with the record that lies there.

    What the record holds and the changed options make stale is cleared, so that no figure outlives what it was
    measured on. Raises `BadInput` where the folder cannot be written.
    """
    machine.let_threads_sleep()
    job = Job(folder=folder, request=request, registry=registry, progress=progress)
    job.files  # noqa: B018 - a wrong model or file stops before a folder is made
    _require_writable(folder)
    is_run = (folder / RECORD_NAME).exists()
    if folder.exists() and not is_run:
        _require_free(folder, (README, REPRODUCE, PREDICTIONS, *job.task.files))
    record = None if fresh or not is_run else read_record(folder)
    if record is None:
        record = RunRecord(porter=porter.__version__, created=_now(), command=command, request=request)
    else:
        record = clear(record, stale_between(record.request, request))
    environment = record.environment or machine.describe()
    return Run(
        job,
        replace(record, porter=porter.__version__, request=request, command=command, environment=environment),
    )


def exit_code(record: RunRecord) -> ExitCode:
    """1 where a verdict fails, else 0."""
    failed = any(verdict.state is State.FAIL for verdict in record.verdicts)
    return ExitCode.VERDICT_FAILED if failed else ExitCode.OK


def _require_writable(folder: Path) -> None:
    """Stop where the folder could not be written, without making it: a mistake must leave nothing behind."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise BadInput(f"--out {one_line(folder)}: {one_line(there)} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"--out {one_line(folder)}: {one_line(there)} cannot be written")


def _require_free(folder: Path, names: tuple[str, ...]) -> None:
    """Stop where a run would write over files that no run wrote, as in a project of the user's own."""
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise BadInput(f"--out {one_line(folder)}: holds a {taken[0]} that no run wrote; name another folder")


def _as_it_is(folder: Path, file: ArtefactPart) -> ArtefactPart:
    path = folder / file.path
    return replace(file, sha256=file_digest(path), size_bytes=path.stat().st_size)


def _files(folder: Path, record: RunRecord) -> tuple[OutputFile, ...]:
    """The run's files by content; the documents are left out, since they are made from this list."""
    found = []
    if record.export is not None:
        opset = record.export.facts.opset
        found.append((record.export.path, f"ONNX, opset {opset}"))
    found += [(file.path, f"artefact {artefact.id}") for artefact in record.artefacts for file in artefact.files]
    if record.evaluations:
        found.append((PREDICTIONS, "the answer for every image, by every evaluation"))
        found += [(name, "accuracy in the task's own format") for name in record.task_files]
    unique = dict(reversed(found))
    return tuple(
        OutputFile(path=path, sha256=file_digest(folder / path), size_bytes=(folder / path).stat().st_size, what=what)
        for path, what in reversed(unique.items())
        if (folder / path).exists()
    )


def _counted(prepared: Iterable[Prepared], advance: Advance) -> Iterator[Prepared]:
    for one in prepared:
        advance(1)
        yield one


def _now() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
