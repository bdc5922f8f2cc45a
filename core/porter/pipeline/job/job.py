"""One job: what was asked for, resolved to a plugin, a spec and files that exist."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from porter.contracts.progress import Progress
from porter.contracts.requests import Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import BuildRequest, OpenRequest, Runtime, Session
from porter.contracts.task import DataRequest, Scorer, Task
from porter.errors import BadInput, PluginError, one_line
from porter.files.hashes import file_digest
from porter.hosting.guard import guarded
from porter.hosting.registry import ModelHooks, Registry, raise_as_plugin_error
from porter.machine import host as machine
from porter.pipeline.job.inputs import JobFiles, input_file, resolve_files
from porter.pipeline.job.processors import Processors, streams_for
from porter.pipeline.job.runtime_options import options_of, require_known
from porter.pipeline.job.targets import (
    Targets,
    int8_obstacle,
    require_target,
    runtimes_of,
    takes_int8_graph,
    targets_of,
)
from porter.records.artefact import Artefact
from porter.records.environment import Environment
from porter.records.manifest import Manifest
from porter.records.message import Message, Text
from porter.records.precision import FP32, PRECISIONS, Precision, table_with
from porter.records.record import HELPER, InputFile, PluginUse
from porter.records.request import RunRequest
from porter.records.spec import ModelSpec
from porter.runfolder.layout import CACHE

DEFAULT_OPSET = 11
SHIPPED_ROLES = {
    "config": Message("config"),
    "checkpoint": Message("checkpoint"),
    "data": Message("data"),
    "labels": Message("labels"),
}
ONLY_TOGETHER = " (the shipped images go only with the shipped model)"


@dataclass
class Job:
    """Everything that the stages share. The expensive parts are made when they are first needed."""

    folder: Path
    request: RunRequest
    registry: Registry
    progress: Progress = field(default_factory=Progress)

    @cached_property
    def _model(self) -> tuple[ModelOffer, ModelHooks]:
        return self.registry.model(self.request.model)

    @property
    def offer(self) -> ModelOffer:
        return self._model[0]

    @property
    def hooks(self) -> ModelHooks:
        return self._model[1]

    @cached_property
    def files(self) -> JobFiles:
        return resolve_files(self.request, self.offer)

    @cached_property
    def spec(self) -> ModelSpec:
        request = ModelRequest(model=self.request.model, config=self.files.config, checkpoint=self.files.checkpoint)
        return self.hooks.describe(request)

    @property
    def checkpoint(self) -> Path | None:
        """The weights: the user's or the plugin's file, or the one that the config names."""
        return self.files.checkpoint or (Path(self.spec.checkpoint) if self.spec.checkpoint else None)

    @property
    def opset(self) -> int:
        """The opset to export at."""
        return self.request.opset or self.spec.opset or DEFAULT_OPSET

    @cached_property
    def task(self) -> Task:
        name = self.spec.task
        task = self.registry.task(name)
        plugin, what = self.registry.provider_of("task", name), f"task {name!r}"

        def returned(result: object) -> object:
            return guarded(result, plugin, f"the scorer of {what}") if isinstance(result, Scorer) else result

        return guarded(task, plugin, what, returned)

    @cached_property
    def environment(self) -> Environment:
        """The machine, as it was when this was first asked."""
        return machine.describe()

    @cached_property
    def versions(self) -> tuple[str, ...]:
        """See `porter.machine.host.versions`."""
        return machine.versions()

    @cached_property
    def threads(self) -> int:
        usable = machine.usable_threads()
        if self.request.threads is not None and self.request.threads > usable:
            raise BadInput(
                f"--threads {self.request.threads}: this process may use {usable} "
                f"processor{'s' if usable > 1 else ''}; more threads would only hold each other up"
            )
        return self.request.threads or usable

    @cached_property
    def loaded(self) -> Loaded:
        """The model in memory, every part of it in eval mode."""
        loaded = self.hooks.load(
            LoadRequest(
                spec=self.spec,
                config=self.files.config,
                checkpoint=self.checkpoint,
                weights=self.request.weights,
                trust_checkpoint=self.request.trust_checkpoint,
                threads=self.threads,
            )
        )
        if loaded.module is not None and hasattr(loaded.module, "named_modules"):
            training = [name or "the model itself" for name, part in loaded.module.named_modules() if part.training]
            if training:
                raise PluginError(
                    f"plugin {self.hooks.plugin!r}: porter_load left {len(training)} modules in training mode "
                    f"(first: {training[0]}); call .eval() on the model"
                )
        return loaded

    @cached_property
    def reference(self) -> Session:
        """The model as it was loaded."""
        if self.loaded.reference is not None:
            return self.loaded.reference
        from porter.builtin.pytorch import TorchSession

        return TorchSession(self.loaded.module, tuple(t.name for t in self.spec.outputs), self.threads)

    @cached_property
    def manifest(self) -> Manifest:
        if self.files.data is None:
            only = "" if self.offer.shipped is None or self.offer.shipped.data is None else ONLY_TOGETHER
            raise BadInput(f"no images: give --data DIR and --labels FILE{only}")
        keep_apart = self.request.calibration_images if self._keeps_apart else 0
        manifest = self.task.manifest(
            DataRequest(
                root=self.files.data,
                spec=self.spec,
                labels=self.files.labels,
                class_map=self.files.class_map,
                label_offset=self.request.label_offset,
                limit=self.request.limit,
                keep_apart=keep_apart,
            )
        )
        if keep_apart and not manifest.kept_apart:
            raise BadInput(
                f"task {self.task.name!r} keeps no images apart to calibrate int8 on: give --calibration DIR"
            )
        return manifest

    @property
    def _keeps_apart(self) -> bool:
        if self.request.calibration is not None:
            return False
        if any(precision in runtime.calibrates for runtime, precision in self.targets):
            return True
        wanted = self.request.is_auto or any(takes_int8_graph(*pair) for pair in self.targets)
        return wanted and not int8_obstacle(self.spec)

    def on(self, manifest: Manifest) -> Job:
        """The same job on other images, with all that was made for this one so far, and the same processors."""
        self.processors  # noqa: B018 - made here where it was not yet
        other = copy.copy(self)
        other.manifest = manifest
        return other

    @cached_property
    def runtimes(self) -> tuple[Runtime, ...]:
        return runtimes_of(self.request, self.registry)

    def preflight(self) -> None:
        """Everything that can be wrong and is cheap to see, before the first expensive step."""
        self.threads, self.files, self.spec, self.task  # noqa: B018 - each is made, or raises, on first use
        require_known(self.request.options, self.runtimes)
        for runtime in self.runtimes:
            options_of(runtime, self.request.options)
        for runtime, precision in self.targets:
            require_target(runtime, precision, self.request, self.registry)
        for runtime, precision in self.plan.elsewhere:
            require_target(runtime, precision, self.request, self.registry, here=False)
        self.manifest  # noqa: B018
        self._require_memory()

    def _require_memory(self) -> None:
        """Stop where the largest batch alone takes more memory than is free: what follows could end the process."""
        free, tensor = machine.free_memory(), self.spec.inputs[0]
        image = 4 * math.prod(size for size in tensor.shape[1:] if isinstance(size, int))  # preprocessed as float32
        wanted = {"--batch-sizes": max(self.request.batch_sizes)}
        wanted["--batch"] = min(self.request.evaluation_batch, len(self.manifest.items))
        for option, batch in wanted.items():
            if free is not None and batch * image > free:
                raise BadInput(
                    f"{option} {batch}: such a batch takes {batch * image / 2**30:.1f} GiB before the model is run, "
                    f"and {free / 2**30:.1f} GiB of memory are free; give a smaller one"
                )

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

    def build(self, runtime: Runtime, request: BuildRequest) -> Artefact:
        """An artefact of that runtime. Raises `PluginError` where it is none, or another runtime's."""
        plugin, what = self.registry.provider_of("runtime", runtime.name), f"build() of runtime {runtime.name!r}"
        try:
            artefact = runtime.build(request)
        except (Exception, SystemExit) as error:
            raise_as_plugin_error(error, plugin, what)
        if not isinstance(artefact, Artefact):
            raise PluginError(f"plugin {plugin!r}: {what} returned {type(artefact).__name__}, it must return Artefact")
        if (artefact.runtime, artefact.precision) != (runtime.name, request.precision):
            made = one_line(f"{artefact.runtime} {artefact.precision}")
            raise PluginError(f"plugin {plugin!r}: {what} at {request.precision} made an artefact of {made}")
        return replace(artefact, options=dict(request.options))

    def precision(self, name: str) -> Precision:
        """What a precision means: porter's own, or one that a runtime of this run brings."""
        known = table_with(one for runtime in self.runtimes for one in runtime.precisions)
        return known.get(name, PRECISIONS[FP32])

    def require_built(self, artefact: Artefact) -> None:
        """Raise `BadInput` where a file of the artefact is gone, or is not what this run built."""
        for file in artefact.files:
            path = self.folder / file.path
            if file_digest(path) != file.sha256:
                raise BadInput(f"{path}: its content is not what this run built; export it again")

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

    def open(
        self,
        artefact: Artefact,
        *,
        check: bool = True,
        batch: int | None = None,
        threads: int | None = None,
        streams: int | None = None,
        yielding: bool = False,
    ) -> Session:
        """Open an artefact of this run; `batch` is the only size that will be fed, None: any.

        `threads` and `streams` take the place of what was asked for. `yielding`: see `OpenRequest`.

        `check` False leaves out `require_built`, and what a runtime has kept: for a file that may have changed, and
        where loading is timed.
        """
        if check:
            self.require_built(artefact)
        cache = self.folder / CACHE if check else None
        request = OpenRequest(
            artefact=artefact,
            path=self.folder / artefact.path,
            spec=self.spec,
            options=artefact.options,
            threads=threads or self.threads,
            streams=streams or self.streams,
            yielding=yielding,
            provider=self.request.provider,
            batch=batch,
            cache=cache,
        )
        runtime = self.registry.runtime(artefact.runtime)
        plugin, what = self.registry.provider_of("runtime", runtime.name), f"open() of runtime {runtime.name!r}"
        try:
            session = runtime.open(request)
        except (Exception, SystemExit) as error:
            raise_as_plugin_error(error, plugin, what)
        if not isinstance(session, Session):
            raise PluginError(f"plugin {plugin!r}: {what} returned {type(session).__name__}, it must return a Session")
        return session

    def inputs(self) -> tuple[InputFile, ...]:
        """Every input file with its hash."""
        roles = {role: getattr(self.files, role) for role in ("config", "checkpoint", "labels", "class_map")}
        roles["checkpoint"] = self.checkpoint
        return tuple(
            input_file(role, path, getattr(self.request, role), shipped=role in self.files.shipped)
            for role, path in roles.items()
            if path is not None
        )

    def plugins(self) -> tuple[PluginUse, ...]:
        """Which version of which plugin answers."""
        uses = [self.registry.use("model", self.hooks.plugin)]
        uses += [self.registry.use(f"{HELPER} {name}", name) for name in self.registry.helpers()]
        uses.append(self.registry.use("task", self.registry.provider_of("task", self.spec.task)))
        for runtime in self.runtimes:
            uses.append(
                self.registry.use(f"runtime {runtime.name}", self.registry.provider_of("runtime", runtime.name))
            )
        return tuple(uses)

    def shipped_note(self) -> Text:
        """What of the inputs the plugin shipped, in words; empty: nothing."""
        if not self.files.shipped or self.offer.shipped is None:
            return ""
        roles = tuple(SHIPPED_ROLES[role] for role in sorted(self.files.shipped))
        return Message("{roles}. {note}", roles=roles, note=self.offer.shipped.note)
