"""One job in two frozen parts: the model that was asked for, and the images that it is done on."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from porter.contracts.progress import Progress
from porter.contracts.requests import Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import Runtime, Session
from porter.contracts.task import DataRequest, Task
from porter.data.content import manifest_sha256
from porter.errors import BadInput
from porter.hosting.engines import engine_packages
from porter.hosting.model_hooks import ModelHooks
from porter.hosting.registry import Registry
from porter.machine import host as machine
from porter.pipeline.job.executor import Executor
from porter.pipeline.job.inputs import JobFiles, resolve_files, with_class_map
from porter.pipeline.job.loading import load_model, reference_of, task_of
from porter.pipeline.job.processors import Processors, streams_for
from porter.pipeline.job.targets import Targets, int8_obstacle, runtimes_of, takes_int8_graph, targets_of
from porter.records.environment import Environment
from porter.records.manifest import Item, Manifest
from porter.records.precision import FP32, PRECISIONS, Precision, table_with
from porter.records.record import DataReport
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec

DEFAULT_OPSET = 11
ONLY_TOGETHER = " (the shipped images belong to the shipped model)"


@dataclass(frozen=True, eq=False)
class Job:
    """The model part of a job: all that the stages share and that knows no image; `data` is the other part.

    The expensive parts are made when they are first needed, once.
    """

    folder: Path
    """The run's folder."""
    request: RunRequest
    registry: Registry
    progress: Progress = field(default_factory=Progress)
    described: ModelSpec | None = None
    """The spec, where somebody knows it already; None: the model's plugin describes it."""
    answering: ModelHooks | None = None
    """The hooks, where the model's plugin need not be here; None: those of the model."""
    executor: Executor | None = None
    """What answers the images of an evaluation; None: this process."""
    templates: Path | None = None
    """Folder of the user's own templates of documents."""

    # --- the model ------------------------------------------------------------------------------------------------

    @property
    def offer(self) -> ModelOffer:
        return self._model[0]

    @property
    def hooks(self) -> ModelHooks:
        return self.answering or self._model[1]

    @cached_property
    def _model(self) -> tuple[ModelOffer, ModelHooks]:
        return self.registry.model(self.request.model)

    @cached_property
    def files(self) -> JobFiles:
        return with_class_map(self._model_files, lambda: self.task.class_maps)

    @cached_property
    def _model_files(self) -> JobFiles:
        """All but a class map by its name, which the task knows, which the spec names."""
        return resolve_files(self.request, self.offer)

    @cached_property
    def spec(self) -> ModelSpec:
        if self.described is not None:
            return self.described
        files = self._model_files
        request = ModelRequest(
            model=self.request.model, config=files.config, name=files.name, checkpoint=files.checkpoint
        )
        return self.hooks.describe(request)

    @property
    def checkpoint(self) -> Path | None:
        """The weights: the user's or the plugin's file, or the one that the config names."""
        return self.files.checkpoint or (Path(self.spec.checkpoint) if self.spec.checkpoint else None)

    @property
    def opset(self) -> int:
        """The opset to export at."""
        return self.request.opset or self.spec.opset or DEFAULT_OPSET

    @property
    def takes_photos(self) -> bool:
        """Whether samples are images by a declared pipeline that the usual faults can be built into: resized and
        cropped or letterboxed, of three channels, in float32."""
        declared = self.spec.preprocess
        return (
            declared is not None
            and self.hooks.implementer("porter_read") is None
            and self.hooks.implementer("porter_reference") is None
            and declared.is_usual
            and self.spec.inputs[0].dtype == "float32"
        )

    @cached_property
    def task(self) -> Task:
        return task_of(self.registry, self.spec.task)

    @cached_property
    def loaded(self) -> Loaded:
        """The model in memory, every part of it in eval mode."""
        request = LoadRequest(
            spec=self.spec,
            config=self.files.config,
            checkpoint=self.checkpoint,
            weights=self.request.weights,
            trust_checkpoint=self.request.trust_checkpoint,
            threads=self.threads,
        )
        return load_model(self.hooks, request)

    @cached_property
    def reference(self) -> Session:
        """The model as it was loaded."""
        return reference_of(self.loaded, self.spec, self.hooks.plugin, self.threads)

    # --- the images -----------------------------------------------------------------------------------------------

    @cached_property
    def data(self) -> Dataset:
        """The images that were asked for. Raises `BadInput` where there are none."""
        return _asked_for(self)

    # --- the artefacts --------------------------------------------------------------------------------------------

    @cached_property
    def runtimes(self) -> tuple[Runtime, ...]:
        return runtimes_of(self.request, self.registry)

    @cached_property
    def plan(self) -> Targets:
        """What to build, and what `auto` leaves out."""
        return targets_of(self.request, self.registry, self.spec)

    @property
    def targets(self) -> tuple[tuple[Runtime, str], ...]:
        """Every artefact to build: pairs of runtime and precision."""
        return self.plan.pairs

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes to build for, where an artefact takes one alone: those measured, and the evaluation's."""
        if self.spec.fixed_batch is not None:
            return (self.spec.fixed_batch,)
        return tuple(sorted({*self.request.batch_sizes, self.request.evaluation_batch}))

    def precision(self, name: str) -> Precision:
        """What a precision means: porter's own, or one that a runtime of this run brings."""
        known = table_with(one for runtime in self.runtimes for one in runtime.precisions)
        return known.get(name, PRECISIONS[FP32])

    # --- the machine ----------------------------------------------------------------------------------------------

    @cached_property
    def environment(self) -> Environment:
        """The machine, as it was when this was first asked."""
        return machine.describe(engine_packages(self.registry, [runtime.name for runtime in self.runtimes]))

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """See `porter.machine.host.versions`."""
        return machine.versions(engine_packages(self.registry))

    @cached_property
    def threads(self) -> int:
        usable = machine.usable_threads()
        if self.request.threads is not None and self.request.threads > usable:
            raise BadInput(
                f"--threads {self.request.threads}: only {usable} "
                f"CPU{'s are' if usable > 1 else ' is'} available. Use --threads {usable} or fewer"
            )
        return self.request.threads or usable

    @cached_property
    def processors(self) -> Processors:
        """Those that this run may use."""
        return Processors(self.threads)

    @property
    def streams(self) -> int:
        """Batches that a session works on at once where it is measured alone."""
        return self.request.streams or 1

    @property
    def evaluation_streams(self) -> int:
        """Batches that a session works on at once where it is evaluated: one on a device that was asked for, which may
        hold the weights once for each stream."""
        provider = self.request.provider or "CPU"
        return self.request.streams or (streams_for(self.threads) if provider.upper().startswith("CPU") else 1)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images in an order that never changes, for one job. The same job on other images is another `Dataset`."""

    job: Job
    manifest: Manifest

    @property
    def items(self) -> tuple[Item, ...]:
        """Every image with its label."""
        return self.manifest.items

    @cached_property
    def manifest_sha256(self) -> str:
        """Of the list of images and labels, not of what the images show."""
        return manifest_sha256(self.manifest)

    @cached_property
    def report(self) -> DataReport:
        """What the images are, before the first of them is read, as the record has it."""
        manifest = self.manifest
        return DataReport(
            root=self.job.request.data or "shipped with the plugin",
            found=manifest.found,
            listed=len(manifest.items),
            selection=manifest.selection,
            labels_from=manifest.labels_from,
            label_offset=manifest.label_offset,
            manifest_sha256=self.manifest_sha256,
            kept_apart=len(manifest.kept_apart),
            warnings=manifest.warnings,
        )


def _asked_for(job: Job) -> Dataset:
    """The images that the request names, as the model's task lists them. Raises `BadInput` where there are none."""
    files = job.files
    if files.data is None:
        only = "" if job.offer.shipped is None or job.offer.shipped.data is None else ONLY_TOGETHER
        raise BadInput(f"no images. Use --data DIR and --labels FILE{only}")
    keep_apart = job.request.calibration_images if _keeps_apart(job) else 0
    manifest = job.task.manifest(
        DataRequest(
            root=files.data,
            spec=job.spec,
            labels=files.labels,
            class_map=files.class_map,
            label_offset=job.request.label_offset,
            limit=job.request.limit,
            keep_apart=keep_apart,
        )
    )
    if keep_apart and not manifest.kept_apart:
        raise BadInput(f"task {job.task.name!r} cannot reserve calibration images. Use --calibration DIR")
    return Dataset(job, manifest)


def _keeps_apart(job: Job) -> bool:
    """Whether images must be left out of what is scored, to calibrate on."""
    if job.request.calibration is not None:
        return False
    if any(precision in runtime.calibrates for runtime, precision in job.targets):
        return True
    tried = job.request.is_auto and job.spec.precision == FP32
    wanted = tried or any(takes_int8_graph(*pair, job.spec) for pair in job.targets)
    return wanted and not int8_obstacle(job.spec)
