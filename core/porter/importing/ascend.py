"""import ascend: what came back from an NPU host, into a run's record and its documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from porter.ascend.kit import DOCUMENT, RESULTS
from porter.contracts.progress import Progress
from porter.contracts.requests import ModelRequest
from porter.contracts.task import DataRequest
from porter.data.labels import read_label_file
from porter.documents.deliver import deliver
from porter.errors import BadInput, did_you_mean, one_line
from porter.files.hashes import file_digest
from porter.files.whole import write_whole
from porter.hosting.registry import Registry
from porter.hosting.specs import SpecFault, checked_spec
from porter.importing.accuracy import Accuracy, Scored, compare_stated, score_folders, stated
from porter.importing.doubts import doubts
from porter.importing.found import Found, collect
from porter.importing.naming import named_in
from porter.importing.speed import Naming, Speed, speed_of
from porter.machine.clock import now
from porter.pipeline.job.dataset import Dataset
from porter.pipeline.job.job import Job
from porter.pipeline.job.provenance import plugins_of
from porter.pipeline.judge import verdicts
from porter.records.artefact import SessionInfo
from porter.records.imported import Doubt, Imported, ImportFinding, ImportSource
from porter.records.manifest import Item, Manifest
from porter.records.message import Message, Text
from porter.records.record import Comparison, InputFile, RunRecord
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec
from porter.records.version import __version__
from porter.runfolder.layout import RECORD_NAME
from porter.runfolder.record_file import read_record, write_record
from porter.runfolder.written import written

RUNTIME = "ascend"
NOT_REPORTED = "not reported"


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """What to import, and what it is held against."""

    folder: Path
    """What came back."""
    model: str | None = None
    """Name of the model; None: the kit's."""
    variant: str | None = None
    """One of the model's published variants."""
    config: Path | None = None
    """The model's config, where it is no published variant."""
    labels: Path | None = None
    """Lines `NAME label`; None: the kit's."""
    data: Path | None = None
    """The images, for a task whose labels are no numbers."""
    label_offset: int = 0
    """Subtracted from every label."""
    batch_sizes: tuple[int, ...] = ()
    """Batch sizes that must have been measured; empty: the kit's, or what is there."""
    devices_per_card: int | None = None
    """Devices on one card."""
    max_drop: float = 1.0
    """Percentage points that the gate metric may lose."""
    command: str = ""
    """The command line as typed."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments of `porter` that import the same again, without `--out`."""
        options = {
            "--model": self.model,
            "--variant": self.variant,
            "--config": self.config,
            "--labels": self.labels,
            "--data": self.data,
            "--label-offset": self.label_offset or None,
            "--batch-sizes": ",".join(map(str, self.batch_sizes)) or None,
            "--devices-per-card": self.devices_per_card,
            "--max-drop": None if self.max_drop == 1.0 else f"{self.max_drop:g}",
        }
        given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
        return ("import", RUNTIME, str(self.folder), *given)


def import_ascend(request: ImportRequest, out: Path, registry: Registry, progress: Progress) -> RunRecord:
    """Import into the run's folder `out`, and write the documents. Raises `BadInput` where nothing of use was found."""
    _require_free(out)
    found = collect(request.folder)
    spec = _spec(request, found, registry, progress)
    if found.is_empty:
        raise BadInput(_nothing(found))
    job = _job(request, spec, out, registry, progress)
    data, inputs = _images(request, found, job)
    manifest = None if data is None else data.manifest
    info = _session(found)
    speed = speed_of(found, _naming(info, request), _expected(request, found))
    accuracy = _accuracy(found, job, data, info)
    record = RunRecord(
        porter=__version__,
        created=now(),
        command=request.command,
        request=job.request,
        model=spec,
        plugins=plugins_of(job),
        inputs=inputs,
        data=None if data is None else replace(data.report, root="not here: outputs were imported"),
        evaluations=tuple(accuracy.evaluations),
        performance=tuple(speed.performance),
        imported=_imported(request, found, speed, accuracy, info),
    )
    return _deliver(job, record, manifest)


# --- what it is held against -----------------------------------------------------------------------------------------


def _spec(request: ImportRequest, found: Found, registry: Registry, progress: Progress) -> ModelSpec:
    """The model: by its config, its variant, as the kit has it, or as the reports name it."""
    kit = None if found.kit is None else found.kit.content
    name = request.model or (kit.spec.name if kit else None)
    if request.config is None and request.variant is None and kit is None:
        named = named_in(found, registry, name)
        if named is not None:
            progress.note(f"the reports name {named[1]!r}: taken for {named[0].name} {named[0].variant}".rstrip())
            return named[0]
    if name is None:
        raise BadInput(f"{one_line(request.folder)}: nothing there says which model this is: give --model NAME")
    offer, hooks = registry.model(name)
    if request.config is not None and request.variant is not None:
        raise BadInput("--config and --variant exclude each other: the config says which variant it is")
    if request.config is not None:
        return hooks.describe(ModelRequest(model=name, config=request.config))
    variants = {one.variant or one.name: one for one in offer.variants}
    if request.variant is not None:
        if request.variant not in variants:
            listed = ", ".join(variants) or "none"
            near = did_you_mean(request.variant, variants)
            raise BadInput(f"--variant {one_line(request.variant)}: model {name!r} has {listed}{near}")
        return variants[request.variant]
    if kit is not None and found.kit is not None and kit.spec.name == name:
        try:
            return checked_spec(kit.spec)
        except SpecFault as fault:
            raise BadInput(f"{one_line(found.kit.path)}: {fault}") from None
    if len(variants) == 1:
        return next(iter(variants.values()))
    raise BadInput(f"model {name!r} has the variants {', '.join(variants) or 'none'}: give --variant or --config")


def _job(request: ImportRequest, spec: ModelSpec, out: Path, registry: Registry, progress: Progress) -> Job:
    asked = RunRequest(
        model=spec.name,
        config=None if request.config is None else str(request.config),
        labels=None if request.labels is None else str(request.labels),
        data=None if request.data is None else str(request.data),
        label_offset=request.label_offset,
        runtimes=(RUNTIME,),
        max_drop=request.max_drop,
    )
    return Job(folder=out, request=asked, registry=registry, progress=progress, described=spec)


def _images(request: ImportRequest, found: Found, job: Job) -> tuple[Dataset | None, tuple[InputFile, ...]]:
    """The images that predictions are scored on; None where there is nothing to score them with."""
    inputs = []
    for role, path in (("config", request.config), ("labels", request.labels)):
        if path is not None and path.is_file():
            digest = file_digest(path)
            inputs.append(InputFile(role=role, path=str(path), sha256=digest, size_bytes=path.stat().st_size))
    if request.data is not None:
        asked = DataRequest(
            root=str(request.data), spec=job.spec, labels=request.labels, label_offset=request.label_offset
        )
        manifest = job.task.manifest(asked)
    elif request.labels is not None:
        manifest = _labelled(request.labels, request.label_offset)
    elif found.kit is not None:
        manifest = found.kit.content.full_manifest()
    elif found.outputs:
        raise BadInput(f"{one_line(found.outputs[0])}: predictions, and nothing to score them with: give --labels FILE")
    else:
        return None, tuple(inputs)
    return Dataset(job, manifest), tuple(inputs)


def _labelled(path: Path, offset: int) -> Manifest:
    """Every line of a label file is an image."""
    lines = read_label_file(path).entries
    return Manifest(
        root="",
        items=tuple(Item(line.name, line.label - offset) for line in lines),
        found=len(lines),
        selection=Message("all lines of the label file"),
        labels_from=Message("label file {file}", file=path.name),
        label_offset=offset,
    )


def _expected(request: ImportRequest, found: Found) -> tuple[int, ...]:
    if request.batch_sizes:
        return request.batch_sizes
    return () if found.kit is None else found.kit.content.batches


# --- what was measured -----------------------------------------------------------------------------------------------


def _session(found: Found) -> SessionInfo:
    """What ran, as far as the files say. Nothing is taken from what is usual."""
    results = None if found.results is None else found.results.content
    kit = None if found.kit is None else found.kit.content
    chip = results.soc_version if results else NOT_REPORTED
    device = f"{chip}, device {results.device}" if results else chip
    return SessionInfo(
        runtime=RUNTIME,
        version=one_line(results.cann if results else "") or NOT_REPORTED,
        precision=kit.precision if kit and results else NOT_REPORTED,
        provider=one_line(device),
        threads=None,
    )


def _name(info: SessionInfo) -> str:
    return RUNTIME if info.precision == NOT_REPORTED else f"{RUNTIME}-{info.precision}"


def _naming(info: SessionInfo, request: ImportRequest) -> Naming:
    return Naming(
        artefact=lambda batch: f"{_name(info)}-bs{batch}",
        session=lambda batch, tool: replace(info, batch=batch, provider=f"{info.provider}, through {tool}"),
        devices_per_card=request.devices_per_card,
    )


def _accuracy(found: Found, job: Job, data: Dataset | None, info: SessionInfo) -> Accuracy:
    accuracy = Accuracy()
    if found.outputs and data is not None:
        by_kit = found.kit is not None and data.manifest.items == found.kit.content.full_manifest().items
        scored = Scored.by_kit(data, found) if by_kit else Scored.by_label_file(data)
        accuracy = score_folders(found, scored, _name(info), info)
        for scores in found.scores:
            compare_stated(accuracy, found, scores)
            accuracy.gave.setdefault(scores.path, []).append(Message("accuracy, compared with the predictions"))
        return accuracy
    for scores in found.scores:
        name = _name(info) if len(found.scores) == 1 else f"{_name(info)}-{scores.path.stem}"
        accuracy.evaluations.append(stated(scores, job, name, info))
        accuracy.gave.setdefault(scores.path, []).append(Message("accuracy"))
        if data is not None and len(data.items) != scores.content.images:
            text = Message(
                "`{file}` is about {images} images, {labels} are listed",
                file=found.name(scores.path),
                images=scores.content.images,
                labels=len(data.items),
            )
            accuracy.findings.append(ImportFinding(kind=Doubt.INCONSISTENT, text=text))
    return accuracy


def _imported(request: ImportRequest, found: Found, speed: Speed, accuracy: Accuracy, info: SessionInfo) -> Imported:
    results = None if found.results is None else found.results.content
    gave = {**speed.gave}
    for path, what in accuracy.gave.items():
        gave.setdefault(path, []).extend(what)
    return Imported(
        runtime=RUNTIME,
        folder=str(request.folder),
        arguments=request.arguments,
        measured_on=one_line(f"{results.host}, {info.provider}") if results else NOT_REPORTED,
        tools=tuple(sorted({one.clock for one in speed.performance})),
        kit_sha256="" if results is None else results.kit_sha256,
        devices_per_card=request.devices_per_card,
        sources=tuple(_source(found, path, what) for path, what in sorted(gave.items()) if path.is_file()),
        dataset_runs=tuple(speed.dataset_runs),
        findings=doubts(found, speed, accuracy),
        notes=(*speed.notes, *_of_the_accuracy(accuracy)),
    )


def _source(found: Found, path: Path, what: Sequence[Text]) -> ImportSource:
    return ImportSource(
        path=found.name(path), sha256=file_digest(path), size_bytes=path.stat().st_size, gave=tuple(what)
    )


def _of_the_accuracy(accuracy: Accuracy) -> Iterator[Text]:
    if any(evaluation.scored is None for evaluation in accuracy.evaluations):
        yield Message(
            "the accuracy is as the file states it, rounded to two places, and the images behind it are known by their "
            "number alone; without predictions it cannot be computed again"
        )


# --- the record ------------------------------------------------------------------------------------------------------


def _deliver(job: Job, record: RunRecord, manifest: Manifest | None) -> RunRecord:
    record = replace(record, comparisons=_comparisons(job, record, manifest))
    if manifest is not None and record.evaluations and record.evaluations[0].scored is not None:
        documents = job.task.documents(record.evaluations[0].metrics, job.spec)
        for name, data in documents.items():
            write_whole(job.folder / name, data)
        record = replace(record, task_files=tuple(documents))
    record = replace(record, finished=now(), files=written(job.folder, record), commands=_commands(job, record))
    record = verdicts.judge(record)
    write_record(job.folder, record)
    deliver(job.folder, record)
    return record


def _comparisons(job: Job, record: RunRecord, manifest: Manifest | None) -> tuple[Comparison, ...]:
    found = []
    ids = [] if manifest is None else [item.id for item in manifest.items]
    for evaluation in record.evaluations:
        metric = next((one for one in evaluation.metrics if one.name == job.task.gate), None)
        if metric is None:
            continue
        known = ids if evaluation.scored is not None or len(ids) == evaluation.listed else []
        reason = verdicts.other_images(job.spec, job.task, evaluation.listed, known)
        baseline = None if reason or job.spec.published is None else job.spec.published.value(metric.name)
        allowed = record.request.max_drop
        found.append(verdicts.against(evaluation, metric, verdicts.PUBLISHED, baseline, allowed, reason))
    return tuple(found)


def _commands(job: Job, record: RunRecord) -> dict[str, str]:
    assert record.imported is not None
    again = ["porter", *record.imported.arguments, "--out", str(job.folder)]
    return {"import": shlex.join(again), "report": shlex.join(["porter", "report", str(job.folder)])}


def _nothing(found: Found) -> str:
    """That nothing was found, with the first reason where a file is broken."""
    broken = [f"{found.name(path)}: {reason}" for path, reason in found.broken]
    looked = (
        "looked for perf_vision_*.txt and PureInfer reports of benchmark, *_summary.json and logs of ais_bench, "
        "result.json, and outputs IMAGE_0.txt, .bin or .npy"
    )
    if found.kit is not None and not (found.folder / RESULTS).exists() and (found.folder / DOCUMENT).is_file():
        looked = f"this is the kit itself and has no {RESULTS}/: run its script on the NPU host first"
    return f"{one_line(found.folder)}: nothing to import; {broken[0] if broken else looked}"


def _require_free(out: Path) -> None:
    """Stop before anything is written over that is not an earlier import."""
    if not out.exists():
        return
    if not out.is_dir():
        raise BadInput(f"--out {one_line(out)}: a file")
    if (out / RECORD_NAME).exists():
        if read_record(out).imported is None:
            raise BadInput(f"--out {one_line(out)}: holds a run that was measured here; name another folder")
    elif any(out.iterdir()):
        raise BadInput(f"--out {one_line(out)}: holds files that no import wrote; name another folder")
