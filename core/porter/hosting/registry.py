"""What the installed plugins offer, and the hooks of one model."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pluggy

from porter.contracts.requests import Exported, ExportRequest, Image, Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import Runtime, RuntimeStatus, Session
from porter.contracts.task import Task
from porter.errors import BadInput, Missing, PluginError, PorterError, did_you_mean, is_full_disk, one_line
from porter.hosting.hooks import HookSet
from porter.hosting.info import PluginInfo
from porter.hosting.offers import OfferFault, Offers, ask
from porter.hosting.plugin_file import PluginFile
from porter.hosting.source import source_digest
from porter.hosting.specs import SpecFault, checked_spec
from porter.records.record import PluginUse
from porter.records.spec import ModelSpec, PreprocessSpec

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")

MODEL_HOOKS = (
    *("porter_describe", "porter_load", "porter_export"),
    *("porter_preprocess", "porter_infer", "porter_postprocess"),
)
"""The hooks that answer for one model."""
CORE = "porter-core"
"""The distribution that core's own plugins come with."""


class Registry:
    """A filled plugin manager, and what its plugins offer. One that fails when asked for its offers is taken out."""

    def __init__(
        self,
        manager: pluggy.PluginManager,
        infos: tuple[PluginInfo, ...],
        handed: tuple[tuple[str, object], ...] | None = None,
        files: tuple[PluginFile, ...] = (),
    ) -> None:
        self.manager = manager
        self.files = files
        """The plugins that were loaded from one file each."""
        self.handed = handed
        """The plugins that were handed over as objects, by name; None: those installed were looked for."""
        self._offers = Offers()
        self.infos = tuple(self._ask(info) if info.state == "active" else info for info in infos)
        """Every plugin that was found, in order."""

    def models(self) -> dict[str, list[tuple[ModelOffer, str]]]:
        """Every offered model by name, each with the plugins that offer it."""
        return self._offers.models

    def runtimes(self) -> dict[str, list[tuple[Runtime, str]]]:
        """Every offered runtime by name."""
        return self._offers.runtimes

    def tasks(self) -> dict[str, list[tuple[Task, str]]]:
        """Every offered task by name."""
        return self._offers.tasks

    def _ask(self, info: PluginInfo) -> PluginInfo:
        try:
            answers = ask(self.manager, info.name)
        except OfferFault as fault:
            self.manager.unregister(name=info.name)
            return replace(info, state="failed", reason=one_line(fault))
        for hook, offers in answers.items():
            self._offers.add(info.name, hook, offers)
        return info

    def model(self, name: str) -> tuple[ModelOffer, ModelHooks]:
        """The model of that name and its hooks. Raises `BadInput` where none, or more than one plugin, offers it."""
        offer, plugin = self._one("model", name, self.models(), BadInput)
        return offer, ModelHooks(self, plugin)

    def runtime(self, name: str) -> Runtime:
        """The runtime of that name. Raises `Missing` where no plugin offers it."""
        return self._one("runtime", name, self.runtimes(), Missing)[0]

    def status(self, name: str) -> RuntimeStatus:
        """What the runtime of that name says of itself. One that raises is not available, and its advice says why."""
        runtime, plugin = self.runtimes()[name][0]
        return _status(runtime, plugin)

    def task(self, name: str) -> Task:
        """The task of that name. Raises `Missing` where no plugin offers it."""
        return self._one("task", name, self.tasks(), Missing)[0]

    def use(self, role: str, plugin: str) -> PluginUse:
        """Which version of which distribution `plugin` is, for the record."""
        info = next(i for i in self.infos if i.name == plugin and i.state == "active")
        hooks = self.manager.get_plugin(plugin)
        functions = hooks.functions().values() if isinstance(hooks, HookSet) else ()
        return PluginUse(
            role=role,
            plugin=plugin,
            distribution=info.distribution,
            version=info.version,
            source_sha256=info.source_sha256
            or source_digest(inspect.unwrap(function).__module__ for function in functions),
        )

    def helpers(self) -> tuple[str, ...]:
        """The plugins that answer for every model and offer none, core's own aside: a run is made from them as well."""
        offering = {plugin for offers in self.models().values() for _, plugin in offers}
        return tuple(
            info.name
            for info in self.infos
            if info.state == "active" and info.distribution != CORE and info.name not in offering
            if set(MODEL_HOOKS).intersection(info.hooks)
        )

    def provider_of(self, kind: str, name: str) -> str:
        """Name of the plugin behind a `runtime` or a `task`."""
        offers: Mapping[str, list[tuple[Any, str]]] = self.runtimes() if kind == "runtime" else self.tasks()
        return offers[name][0][1]

    def switched_off(self) -> str:
        """The disabled plugins, in words that end an error which one of them may be behind; empty where none is."""
        names = [info.name for info in self.infos if info.state == "disabled"]
        return f" (switched off by PORTER_DISABLE_PLUGINS: {', '.join(names)})" if names else ""

    def _one(
        self, kind: str, name: str, offers: Mapping[str, Sequence[tuple[T, str]]], error: type[PorterError]
    ) -> tuple[T, str]:
        found = offers.get(name, ())
        if len(found) == 1:
            return found[0]
        if found:
            plugins = " and ".join(repr(plugin) for _, plugin in found)
            raise BadInput(
                f"{kind} {name!r} is offered by the plugins {plugins}: switch one off with PORTER_DISABLE_PLUGINS"
            )
        failed = [info.name for info in self.infos if info.state == "failed"]
        broken = f" (plugins that failed to load: {', '.join(failed)}; see `porter plugins`)" if failed else ""
        broken += self.switched_off()
        listed = ", ".join(sorted(offers)) or "none"
        raise error(
            f"no installed plugin offers the {kind} {one_line(name)!r}{did_you_mean(name, offers)}; "
            f"offered: {listed}{broken}"
        )


class ModelHooks:
    """The hooks as one model sees them: its own plugin, those that offer no model, and core's defaults."""

    def __init__(self, registry: Registry, plugin: str) -> None:
        self.plugin = plugin
        self._switched_off = registry.switched_off()
        manager = registry.manager
        rivals = {name for offers in registry.models().values() for _, name in offers} - {plugin}
        removed = [manager.get_plugin(name) for name in sorted(rivals)]
        self._callers = {name: manager.subset_hook_caller(name, remove_plugins=removed) for name in MODEL_HOOKS}

    def describe(self, request: ModelRequest) -> ModelSpec:
        spec = self._typed("porter_describe", ModelSpec, request=request)
        try:
            return checked_spec(spec)
        except SpecFault as fault:
            raise PluginError(f"plugin {self.plugin!r}: porter_describe: {fault}") from None

    def load(self, request: LoadRequest) -> Loaded:
        return self._typed("porter_load", Loaded, request=request)

    def export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        return self._typed("porter_export", Exported, loaded=loaded, request=request)

    def preprocess(self, image: Image, spec: PreprocessSpec, out: np.ndarray | None = None) -> np.ndarray:
        import numpy as np

        return self._typed("porter_preprocess", np.ndarray, image=image, spec=spec, out=out)

    def infer(self, session: Session, batch: np.ndarray, spec: ModelSpec) -> Mapping[str, np.ndarray]:
        import numpy as np

        outputs: Mapping[str, np.ndarray]
        outputs = self._typed("porter_infer", Mapping, session=session, batch=batch, spec=spec)  # type: ignore[type-abstract]
        for name, values in outputs.items():
            if not isinstance(values, np.ndarray):
                raise self._wrong("porter_infer", f"a mapping with {type(values).__name__} under {name!r}", "arrays")
        return outputs

    def postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Any]:
        rows = next((len(values) for values in outputs.values()), 0)
        predictions = self._call("porter_postprocess", outputs=outputs, spec=spec)
        wanted = f"a list of {rows} predictions, one a row"
        if not isinstance(predictions, Sequence) or isinstance(predictions, str | bytes):
            raise self._wrong("porter_postprocess", type(predictions).__name__, wanted)
        if len(predictions) != rows or any(prediction is None for prediction in predictions):
            given = sum(prediction is not None for prediction in predictions)
            raise self._wrong("porter_postprocess", f"{given} predictions", wanted)
        return predictions

    def _call(self, hook: str, **arguments: object) -> Any:
        caller = self._callers[hook]
        try:
            result = caller(**arguments)
        except (Exception, SystemExit) as error:  # a script's sys.exit(0) would end the run as if it had passed
            raise_as_plugin_error(error, _culprit(error, caller) or self.plugin, hook)
        if result is None:
            off = self._switched_off
            raise PluginError(f"no plugin implements {hook} for this model; {self.plugin!r} should{off}")
        return result

    def _typed(self, hook: str, kind: type[T], **arguments: object) -> T:
        result = self._call(hook, **arguments)
        if not isinstance(result, kind):
            raise self._wrong(hook, type(result).__name__, kind.__name__)
        return result

    def _wrong(self, hook: str, given: str, wanted: str) -> PluginError:
        return PluginError(f"plugin {self.plugin!r}: {hook} returned {given}, it must return {wanted}")


def _status(runtime: Runtime, plugin: str) -> RuntimeStatus:
    try:
        status = runtime.status()
    except (Exception, SystemExit) as error:  # it may not, and must not hide what the others say
        return RuntimeStatus(
            available=False, advice=f"plugin {plugin!r}: status() raised {type(error).__name__}: {one_line(error)}"
        )
    if not isinstance(status, RuntimeStatus):
        return RuntimeStatus(
            available=False, advice=f"plugin {plugin!r}: status() returned {type(status).__name__}, not RuntimeStatus"
        )
    return status


def raise_as_plugin_error(error: Exception | SystemExit, plugin: str, hook: str) -> NoReturn:
    """Raise `error` as a `PluginError` that says where it came from, or as `Missing` where a package is.

    What is a `PorterError` passes as it is, and so do `MemoryError` and a full disk, which are the machine's.
    """
    if isinstance(error, PorterError | MemoryError) or is_full_disk(error):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name:
        raise Missing(
            f"plugin {plugin!r}: {hook} needs the package {one_line(error.name)!r}, which is not installed: "
            f"pip install {one_line(error.name)}"
        ) from error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    raise PluginError(
        f"plugin {plugin!r}: {hook} raised {type(error).__name__}: {one_line(error)} ({place})"
    ) from error


def _culprit(error: BaseException, caller: pluggy.HookCaller) -> str:
    """The plugin whose implementation, or wrapper, is innermost in the traceback; empty where none is."""
    codes = {
        getattr(inspect.unwrap(implementation.function), "__code__", None): implementation.plugin_name
        for implementation in caller.get_hookimpls()
    }
    frames = [frame.f_code for frame, _line in traceback.walk_tb(error.__traceback__)]
    return next((codes[code] for code in reversed(frames) if code in codes), "")
