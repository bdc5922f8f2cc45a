"""One job: what was asked for, resolved to a plugin, a spec and files that exist."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from porter import machine
from porter.contracts.progress import Progress
from porter.contracts.requests import Loaded, LoadRequest, ModelOffer, ModelRequest, Shipped
from porter.contracts.runtime import BuildRequest, Runtime, Session, SessionOptions
from porter.contracts.task import DataRequest, Task
from porter.errors import BadInput, PluginError, one_line
from porter.hashes import file_digest, folder_digest
from porter.plugins.registry import ModelHooks, Registry, raise_as_plugin_error
from porter.records.artefact import Artefact
from porter.records.manifest import Manifest
from porter.records.request import RunRequest
from porter.records.run import InputFile, PluginUse
from porter.records.spec import ModelSpec

DEFAULT_OPSET = 11
ONLY_TOGETHER = " (the shipped images go only with the shipped model)"


@dataclass(frozen=True, kw_only=True)
class JobFiles:
    """The input files of a job, the user's or the plugin's."""

    config: Path | None
    checkpoint: Path | None
    data: Path | None
    labels: Path | None
    class_map: Path | None
    shipped: frozenset[str] = frozenset()
    """Roles that the plugin's shipped files fill."""


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
        return _resolve_files(self.request, self.offer)

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
        return self.registry.task(self.spec.task)

    @cached_property
    def threads(self) -> int:
        return self.request.threads or machine.usable_threads()

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
        from porter.runtimes.pytorch import TorchSession

        return TorchSession(self.loaded.module, tuple(t.name for t in self.spec.outputs), self.threads)

    @cached_property
    def manifest(self) -> Manifest:
        if self.files.data is None:
            only = "" if self.offer.shipped is None or self.offer.shipped.data is None else ONLY_TOGETHER
            raise BadInput(f"no images: give --data DIR and --labels FILE{only}")
        return self.task.manifest(
            DataRequest(
                data=self.files.data,
                spec=self.spec,
                labels=self.files.labels,
                class_map=self.files.class_map,
                label_offset=self.request.label_offset,
                limit=self.request.limit,
            )
        )

    @cached_property
    def runtimes(self) -> tuple[Runtime, ...]:
        return tuple(self.registry.runtime(name) for name in self.request.runtimes)

    def preflight(self) -> None:
        """Everything that can be wrong and is cheap to see, before the first expensive step."""
        self.files, self.spec, self.task  # noqa: B018 - each is made, or raises, on first use
        for runtime, precision in self.targets:
            try:
                runtime.require(precision, self.request.provider)
            except (Exception, SystemExit) as error:
                plugin = self.registry.provider_of("runtime", runtime.name)
                raise_as_plugin_error(error, plugin, f"require() of runtime {runtime.name!r}")
        self.manifest  # noqa: B018

    @cached_property
    def targets(self) -> tuple[tuple[Runtime, str], ...]:
        """Every artefact to build: the runtimes, each with those of the precisions asked for that it offers.

        Of several precisions a runtime may lack some, but no runtime all and no precision may be offered by none:
        `BadInput` names what does offer it.
        """
        pairs = []
        asked = self.request.precisions
        for runtime in self.runtimes:
            status = self.registry.status(runtime.name)
            offered = [one for one in asked if one in status.precisions] if status.available else list(asked)
            if not offered:
                raise self._not_offered(runtime, asked[0])
            pairs += [(runtime, precision) for precision in offered]
        found = {precision for _, precision in pairs}
        for precision in asked:
            if precision not in found:
                raise self._not_offered(self.runtimes[0], precision)
        return tuple(pairs)

    def _not_offered(self, runtime: Runtime, precision: str) -> BadInput:
        """That a runtime lacks a precision, with the runtimes that have it."""
        status = self.registry.status(runtime.name)
        offers = {name: self.registry.status(name).precisions for name in sorted(self.registry.runtimes())}
        others = [f"`--runtime {name} --precision {precision}`" for name, known in offers.items() if precision in known]
        way_out = f"give {' or '.join(others)}" if others else "no runtime here offers it"
        return BadInput(
            f"runtime {runtime.name} offers precision {', '.join(status.precisions)} here, not {precision}; {way_out}"
        )

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
        return artefact

    def require_built(self, artefact: Artefact) -> None:
        """Raise `BadInput` where a file of the artefact is gone, or is not what this run built."""
        for file in artefact.files:
            path = self.folder / file.path
            if file_digest(path) != file.sha256:
                raise BadInput(f"{path}: its content is not what this run built; export it again")

    def open(self, artefact: Artefact, *, check: bool = True, batch: int | None = None) -> Session:
        """Open an artefact of this run; `batch` is the only size that will be fed, None: any.

        `check` False leaves out `require_built`: for a file that may have changed, and where loading is timed.
        """
        if check:
            self.require_built(artefact)
        options = SessionOptions(threads=self.threads, provider=self.request.provider, batch=batch)
        return self.registry.runtime(artefact.runtime).open(artefact, self.folder / artefact.path, options)

    def inputs(self) -> tuple[InputFile, ...]:
        """Every input file with its hash."""
        roles = {role: getattr(self.files, role) for role in ("config", "checkpoint", "labels", "class_map")}
        roles["checkpoint"] = self.checkpoint
        return tuple(
            _input(role, path, getattr(self.request, role), shipped=role in self.files.shipped)
            for role, path in roles.items()
            if path is not None
        )

    def plugins(self) -> tuple[PluginUse, ...]:
        """Which version of which plugin answers."""
        uses = [self.registry.use("model", self.hooks.plugin)]
        uses.append(self.registry.use("task", self.registry.provider_of("task", self.spec.task)))
        for runtime in self.runtimes:
            uses.append(
                self.registry.use(f"runtime {runtime.name}", self.registry.provider_of("runtime", runtime.name))
            )
        return tuple(uses)

    def shipped_note(self) -> str:
        """What of the inputs the plugin shipped, in words; empty: nothing."""
        if not self.files.shipped or self.offer.shipped is None:
            return ""
        return f"{', '.join(sorted(self.files.shipped))}. {self.offer.shipped.note}".strip()


def _resolve_files(request: RunRequest, offer: ModelOffer) -> JobFiles:
    """The user's files, and where a pair is wholly absent the plugin's.

    Config and checkpoint belong together, as do data and labels: a file of the user's never meets a shipped one
    of the same pair, and shipped images go only with the shipped model.
    """
    given = JobFiles(
        config=_existing(request.config, "--config", folder=False),
        checkpoint=_existing(request.checkpoint, "--checkpoint", folder=False),
        data=_existing(request.data, "--data", folder=True),
        labels=_existing(request.labels, "--labels", folder=None),
        class_map=_existing(request.class_map, "--class-map", folder=False),
    )
    shipped = offer.shipped or Shipped()
    roles: list[str] = []
    if given.config is None and given.checkpoint is None:
        given = replace(given, config=shipped.config, checkpoint=shipped.checkpoint)
        roles += [role for role in ("config", "checkpoint") if getattr(shipped, role) is not None]
        if given.data is None and given.labels is None:
            given = replace(given, data=shipped.data, labels=shipped.labels)
            roles += [role for role in ("data", "labels") if getattr(shipped, role) is not None]
    if given.labels is not None and given.data is None:
        raise BadInput(f"--labels {request.labels}: give --data DIR as well")
    if offer.needs_checkpoint and given.checkpoint is None:
        raise BadInput(f"model {offer.name!r} needs --checkpoint FILE beside --config {request.config}")
    return replace(given, shipped=frozenset(roles))


def _input(role: str, path: Path, given: str | None, *, shipped: bool) -> InputFile:
    shown = given or (path.name if shipped else str(path))
    if path.is_dir():
        whole = folder_digest(path)
        return InputFile(
            role=role, path=shown, sha256=whole.sha256, size_bytes=whole.size_bytes, files=whole.files, shipped=shipped
        )
    return InputFile(role=role, path=shown, sha256=file_digest(path), size_bytes=path.stat().st_size, shipped=shipped)


def _existing(text: str | None, option: str, *, folder: bool | None) -> Path | None:
    """The path that an option names; `folder` says which kind it must be, None: either."""
    if text is None:
        return None
    path = Path(text)
    try:
        is_there = path.exists()
    except (OSError, ValueError) as error:
        raise BadInput(f"{option} {text!r}: not a usable path: {error}") from None
    if not is_there:
        raise BadInput(f"{option} {text}: no such {'folder' if folder else 'file'}")
    if folder is not None and path.is_dir() != folder:
        raise BadInput(f"{option} {text}: a {'file' if folder else 'folder'}, not a {'folder' if folder else 'file'}")
    return path
