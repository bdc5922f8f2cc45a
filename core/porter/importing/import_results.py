"""import: what was measured elsewhere, as a runtime reads it, into a run's record and its documents."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from porter.builtin.labelled import known_classes
from porter.contracts.progress import Progress
from porter.contracts.returned import Returned
from porter.contracts.runtime import Runtime, TakeBackRequest
from porter.contracts.task import DataRequest
from porter.data.label_file import read_label_file
from porter.data.labels import listed_labels
from porter.documents.deliver import deliver
from porter.documents.form_folder import require_fitting
from porter.documents.results import PUBLISHED
from porter.documents.templates import Templates
from porter.errors import BadInput, Missing, PluginError, one_line
from porter.files.hashes import digest_of, file_digest
from porter.files.native_names import require_text
from porter.files.outward import shell_line
from porter.hosting.guard import guarded
from porter.hosting.registry import Registry
from porter.importing.import_request import ImportRequest
from porter.importing.imported_accuracy import ImportedAccuracy, accuracy_of
from porter.importing.imported_names import shown
from porter.importing.imported_speed import speed_of, unmeasured
from porter.importing.which_model import model_of, require_sense
from porter.machine.clock import now
from porter.machine.given_facts import read_host_facts
from porter.pipeline.accuracy_files import write_accuracy_files
from porter.pipeline.form_delivery import deliver_form
from porter.pipeline.job.job import Dataset, Job
from porter.pipeline.job.provenance import plugins_of, templates_of
from porter.pipeline.job.runtime_options import options_of, require_known
from porter.pipeline.judge import verdicts
from porter.records.imported import Doubt, Imported, ImportFinding, ImportSource
from porter.records.manifest import Item, Manifest
from porter.records.message import Message, Text
from porter.records.performance import Performance
from porter.records.record import Comparison, InputFile, RunRecord
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec
from porter.records.version import __version__
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.record_file import read_record, write_record
from porter.runfolder.written import written

SAME_COUNT = 0.001
"""A count that a tool's rate and time give is that of a file within this share."""


def import_results(request: ImportRequest, out: Path, registry: Registry, progress: Progress) -> RunRecord:
    """Import into the run's folder `out`, and write the documents. Raises `BadInput` where nothing of use was found."""
    for option, path in (("--out", out), ("the folder", request.folder)):
        require_text(f"{option} {one_line(path)}", str(path))
    _require_free(out)
    runtime = _runtime(request.runtime, registry)
    require_sense(request, registry)
    facts = None if request.host_facts is None else read_host_facts(request.host_facts)
    if facts is not None and request.devices_per_card is None:
        request = replace(request, devices_per_card=facts.devices_per_card)
    returned = _take_back(runtime, request, registry)
    # The commit that the plugin was held against is not that of a model which somebody else converted.
    spec = replace(
        model_of(request, returned, registry, progress), code_commit="" if facts is None else facts.code_commit
    )
    if request.form is not None:
        require_fitting(registry.form(request.form), spec.task)
    job = _job(request, spec, out, registry, progress)
    data, inputs = _images(request, returned, job)
    performance = speed_of(request, returned)
    accuracy = accuracy_of(request.folder, returned, job, data)
    record = RunRecord(
        porter=__version__,
        created=now(),
        command=request.command,
        request=job.request,
        model=spec,
        plugins=plugins_of(job),
        host_facts=facts,
        inputs=inputs,
        made_from=returned.made_from,
        data=None if data is None else replace(data.report, root="not here: outputs were imported"),
        evaluations=tuple(accuracy.evaluations),
        performance=performance,
        imported=_imported(request, returned, performance, accuracy),
    )
    return _deliver(job, record, data)


# --- what came back --------------------------------------------------------------------------------------------------


def _runtime(name: str, registry: Registry) -> Runtime:
    """The runtime, which takes results back. Raises `Missing` or `BadInput` naming those that do."""
    taking = sorted(one for one, offers in registry.runtimes().items() if any(each.takes_back for each, _ in offers))
    listed = f"runtimes that import results: {', '.join(taking) or 'no installed runtime'}"
    try:
        runtime = registry.runtime(name)
    except Missing as error:
        raise Missing(f"{error}; {listed}") from None
    if not runtime.takes_back:
        raise BadInput(f"runtime {name} cannot import results; {listed}")
    return runtime


def _take_back(runtime: Runtime, request: ImportRequest, registry: Registry) -> Returned:
    folder = request.folder
    if not folder.is_dir():
        raise BadInput(f"{one_line(folder)}: {'a file, not a folder' if folder.exists() else 'no such folder'}")
    require_known(request.options, (runtime,))
    plugin, what = registry.provider_of("runtime", runtime.name), f"runtime {runtime.name!r}"
    asked = TakeBackRequest(folder=folder, options=options_of(runtime, request.options))
    returned = guarded(runtime, plugin, what).take_back(asked)
    if not isinstance(returned, Returned):
        raise PluginError(
            f"plugin {plugin!r}: take_back() of {what} returned {type(returned).__name__}, must return Returned"
        )
    return replace(returned, outputs=tuple(guarded(one, plugin, f"outputs of {what}") for one in returned.outputs))


# --- what it is compared with ----------------------------------------------------------------------------------------


def _job(request: ImportRequest, spec: ModelSpec, out: Path, registry: Registry, progress: Progress) -> Job:
    asked = RunRequest(
        model=spec.name,
        config=None if request.config is None else str(request.config),
        labels=None if request.labels is None else str(request.labels),
        data=None if request.data is None else str(request.data),
        label_offset=request.label_offset,
        runtimes=(request.runtime,),
        options=request.options,
        plugin_files=request.plugin_files,
        max_drop=request.max_drop,
        form=request.form,
        host_facts=None if request.host_facts is None else str(request.host_facts),
    )
    return Job(
        folder=out,
        request=asked,
        registry=registry,
        progress=progress,
        described=spec,
        templates=request.templates,
    )


def _images(request: ImportRequest, returned: Returned, job: Job) -> tuple[Dataset | None, tuple[InputFile, ...]]:
    """The images that outputs are scored on; None where there is nothing to score them with."""
    inputs = []
    for role, path in (("config", request.config), ("labels", request.labels)):
        if path is not None and path.is_file():
            digest = file_digest(path)
            inputs.append(InputFile(role=role, path=str(path), sha256=digest, size_bytes=path.stat().st_size))
    asked = DataRequest(root=str(request.data), spec=job.spec, labels=request.labels, label_offset=request.label_offset)
    if request.data is not None:
        manifest = job.task.manifest(asked)
    elif request.labels is not None:
        manifest = _labelled(request.labels, asked)
    elif returned.sent is not None:
        manifest = returned.sent.manifest
    elif returned.outputs:
        place = one_line(returned.outputs[0].path)
        raise BadInput(f"{place}: predictions found, but no labels. Use --labels FILE")
    else:
        return None, tuple(inputs)
    return Dataset(job, manifest), tuple(inputs)


def _labelled(path: Path, asked: DataRequest) -> Manifest:
    """Every line of a label file is an image."""
    lines = listed_labels(read_label_file(path), known_classes(asked, asked.spec.num_classes or sys.maxsize))
    return Manifest(
        root="",
        items=tuple(Item(name, label) for name, label in lines),
        found=len(lines),
        selection=Message("all lines of the label file"),
        labels_from=Message("label file {file}", file=path.name),
        label_offset=asked.label_offset,
    )


# --- what of it is doubtful ------------------------------------------------------------------------------------------


def _imported(
    request: ImportRequest, returned: Returned, performance: tuple[Performance, ...], accuracy: ImportedAccuracy
) -> Imported:
    findings = (
        *returned.findings,
        *unmeasured(request, returned, performance),
        *accuracy.findings,
        *_images_counted(request.folder, returned),
        *_absent(performance, accuracy),
    )
    return Imported(
        runtime=request.runtime,
        folder=str(request.folder),
        arguments=request.arguments,
        measured_on=returned.measured_on,
        tools=tuple(sorted({one.clock for one in performance})),
        kit_sha256=returned.kit_sha256,
        sources=_sources(request.folder, returned, accuracy),
        dataset_runs=returned.dataset_runs,
        findings=findings,
        notes=(*returned.notes, *_of_the_accuracy(accuracy)),
    )


def _sources(folder: Path, returned: Returned, accuracy: ImportedAccuracy) -> tuple[ImportSource, ...]:
    """Every file with all that was taken from it."""
    gave: dict[Path, list[Text]] = {path: list(what) for path, what in returned.gave.items()}
    for one in returned.speeds:
        gave.setdefault(one.path, []).append(Message("speed at batch {batch}", batch=one.batch))
    for path, what in accuracy.gave.items():
        gave.setdefault(path, []).extend(what)
    folders = {one.path: one.files for one in returned.outputs}
    return tuple(
        _source(folder, path, tuple(what), folders.get(path, ()))
        for path, what in sorted(gave.items())
        if path.is_file() or folders.get(path)
    )


def _source(folder: Path, path: Path, gave: tuple[Text, ...], inside: Sequence[Path]) -> ImportSource:
    """A file, or a folder by the files inside that were read."""
    if path.is_file():
        digest, size = file_digest(path), path.stat().st_size
        return ImportSource(path=shown(folder, path), sha256=digest, size_bytes=size, gave=gave)
    return ImportSource(
        path=f"{shown(folder, path)}/",
        sha256=digest_of(*(f"{file_digest(file)}  {file.relative_to(path)}" for file in inside)),
        size_bytes=sum(file.stat().st_size for file in inside),
        gave=(*gave, Message("{count} files", count=len(inside))),
    )


def _images_counted(folder: Path, returned: Returned) -> Iterator[ImportFinding]:
    """The data set of the speed and that of the accuracy are the same."""
    for run in returned.dataset_runs:
        for stated in returned.stated:
            if abs(run.images - stated.images) > SAME_COUNT * stated.images:
                text = Message(
                    "`{report}` ran {ran} images, `{file}` covers {images}",
                    report=run.source,
                    ran=run.images,
                    file=shown(folder, stated.path),
                    images=stated.images,
                )
                yield ImportFinding(kind=Doubt.INCONSISTENT, text=text)


def _absent(performance: tuple[Performance, ...], accuracy: ImportedAccuracy) -> Iterator[ImportFinding]:
    if not accuracy.evaluations:
        text = Message("no accuracy: no predictions and no readable file with an accuracy")
        yield ImportFinding(kind=Doubt.MISSING, text=text)
    if not performance:
        yield ImportFinding(kind=Doubt.MISSING, text=Message("no speed: no readable report"))


def _of_the_accuracy(accuracy: ImportedAccuracy) -> Iterator[Text]:
    if any(evaluation.scored is None for evaluation in accuracy.evaluations):
        yield Message(
            "accuracy is copied from the file. The file gives only the number of images, so it cannot be recomputed"
        )


# --- the record ------------------------------------------------------------------------------------------------------


def _deliver(job: Job, record: RunRecord, data: Dataset | None) -> RunRecord:
    record = replace(record, comparisons=_comparisons(job, record, data))
    if data is not None and record.evaluations and record.evaluations[0].scored is not None:
        record = write_accuracy_files(job, record, record.evaluations[0])
    shipped = templates_of(job)
    record = replace(
        record,
        finished=now(),
        files=written(job.folder, record),
        commands=_commands(job, record),
        templates=tuple(shipped),
    )
    record = verdicts.judge(record)
    write_record(job.folder, record)
    templates = Templates(user=job.templates, plugins=tuple(shipped.values()))
    deliver(job.folder, record, templates)
    deliver_form(job.folder, record, job.registry, templates)
    return record


def _comparisons(job: Job, record: RunRecord, data: Dataset | None) -> tuple[Comparison, ...]:
    found = []
    ids = [] if data is None else [item.id for item in data.items]
    for evaluation in record.evaluations:
        metric = next((one for one in evaluation.metrics if one.name == job.task.gate), None)
        if metric is None:
            continue
        known = ids if evaluation.scored is not None or len(ids) == evaluation.listed else []
        reason = verdicts.other_images(job.spec, job.task, evaluation.listed, known)
        baseline = None if reason or job.spec.published is None else job.spec.published.value(metric.name)
        allowed = record.request.max_drop
        found.append(verdicts.against(evaluation, metric, PUBLISHED, baseline, allowed, reason))
    return tuple(found)


def _commands(job: Job, record: RunRecord) -> dict[str, str]:
    assert record.imported is not None
    again = ["porter", *record.imported.arguments, "--out", str(job.folder)]
    return {"import": shell_line(again), "report": shell_line(["porter", "report", str(job.folder)])}


def _require_free(out: Path) -> None:
    """Stop before anything is written over that is not an earlier import."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"--out {one_line(out)}: a file")
    if (out / RECORD_NAME).exists():
        if read_record(out).imported is None:
            raise BadInput(f"--out {one_line(out)}: contains a run measured on this machine. Use another folder")
    elif any(out.iterdir()):
        raise BadInput(f"--out {one_line(out)}: contains files that no import wrote. Use another folder")
