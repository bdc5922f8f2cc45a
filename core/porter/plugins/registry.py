"""What the installed plugins offer, and the hooks of one model."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pluggy

from porter.contracts.requests import Exported, ExportRequest, Image, Loaded, LoadRequest, ModelOffer, ModelRequest
from porter.contracts.runtime import Runtime, Session
from porter.contracts.task import Task
from porter.errors import BadInput, Missing, PluginError, PorterError, did_you_mean, one_line
from porter.records.run import PluginUse
from porter.records.spec import ModelSpec, PreprocessSpec

if TYPE_CHECKING:
    import numpy as np

    from porter.plugins.manager import PluginInfo

T = TypeVar("T")


class Registry:
    """A filled plugin manager, and what its plugins offer."""

    def __init__(self, manager: pluggy.PluginManager, infos: tuple[PluginInfo, ...]) -> None:
        self.manager = manager
        self._infos = infos
        self._faults: dict[str, str] = {}

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Every plugin that was found; one that raised when it was asked for its offers has failed, too."""
        self.models(), self.runtimes(), self.tasks()
        return tuple(
            replace(info, state="failed", reason=self._faults[info.name]) if info.name in self._faults else info
            for info in self._infos
        )

    def models(self) -> dict[str, list[tuple[ModelOffer, str]]]:
        """Every offered model by name, each with the plugins that offer it."""
        return self._offers("porter_models", lambda offer: offer.name)

    def runtimes(self) -> dict[str, list[tuple[Runtime, str]]]:
        """Every offered runtime by name."""
        return self._offers("porter_runtimes", lambda runtime: runtime.name)

    def tasks(self) -> dict[str, list[tuple[Task, str]]]:
        """Every offered task by name."""
        return self._offers("porter_tasks", lambda task: task.name)

    def model(self, name: str) -> tuple[ModelOffer, ModelHooks]:
        """The model of that name and its hooks. Raises `BadInput` where none, or more than one plugin, offers it."""
        offer, plugin = self._one("model", name, self.models(), BadInput)
        return offer, ModelHooks(self, plugin)

    def runtime(self, name: str) -> Runtime:
        """The runtime of that name. Raises `Missing` where no plugin offers it."""
        return self._one("runtime", name, self.runtimes(), Missing)[0]

    def task(self, name: str) -> Task:
        """The task of that name. Raises `Missing` where no plugin offers it."""
        return self._one("task", name, self.tasks(), Missing)[0]

    def use(self, role: str, plugin: str) -> PluginUse:
        """Which version of which distribution `plugin` is, for the record."""
        info = next(i for i in self._infos if i.name == plugin)
        return PluginUse(role=role, plugin=plugin, distribution=info.distribution, version=info.version)

    def provider_of(self, kind: str, name: str) -> str:
        """Name of the plugin behind a `runtime` or a `task`."""
        offers: Mapping[str, list[tuple[Any, str]]] = self.runtimes() if kind == "runtime" else self.tasks()
        return offers[name][0][1]

    def _offers(self, hook: str, name_of: Callable[[Any], str]) -> dict[str, list[tuple[Any, str]]]:
        offers: dict[str, list[tuple[Any, str]]] = {}
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            try:
                for offer in implementation.function() or ():
                    offers.setdefault(name_of(offer), []).append((offer, implementation.plugin_name))
            except Exception as error:  # a plugin can raise anything; the others' offers still stand
                self._faults[implementation.plugin_name] = f"{hook} raised {type(error).__name__}: {one_line(error)}"
        return offers

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
        listed = ", ".join(sorted(offers)) or "none"
        raise error(
            f"no installed plugin offers the {kind} {one_line(name)!r}{did_you_mean(name, offers)}; "
            f"offered: {listed}{broken}"
        )


class ModelHooks:
    """The hooks as one model sees them: its own plugin, those that offer no model, and core's defaults."""

    def __init__(self, registry: Registry, plugin: str) -> None:
        self.plugin = plugin
        manager = registry.manager
        rivals = {name for offers in registry.models().values() for _, name in offers} - {plugin}
        removed = [manager.get_plugin(name) for name in sorted(rivals)]
        self._callers = {
            name: manager.subset_hook_caller(name, remove_plugins=removed)
            for name in (
                "porter_describe",
                "porter_load",
                "porter_export",
                "porter_preprocess",
                "porter_infer",
                "porter_postprocess",
            )
        }

    def describe(self, request: ModelRequest) -> ModelSpec:
        return self._typed("porter_describe", ModelSpec, request=request)

    def load(self, request: LoadRequest) -> Loaded:
        return self._typed("porter_load", Loaded, request=request)

    def export(self, loaded: Loaded, request: ExportRequest) -> Exported:
        return self._typed("porter_export", Exported, loaded=loaded, request=request)

    def preprocess(self, image: Image, spec: PreprocessSpec) -> np.ndarray:
        return self._call("porter_preprocess", image=image, spec=spec)  # type: ignore[no-any-return]

    def infer(self, session: Session, batch: np.ndarray) -> Mapping[str, np.ndarray]:
        return self._call("porter_infer", session=session, batch=batch)  # type: ignore[no-any-return]

    def postprocess(self, outputs: Mapping[str, np.ndarray], spec: ModelSpec) -> Sequence[Any]:
        return self._call("porter_postprocess", outputs=outputs, spec=spec)  # type: ignore[no-any-return]

    def _call(self, hook: str, **arguments: object) -> Any:
        try:
            result = self._callers[hook](**arguments)
        except Exception as error:
            raise_as_plugin_error(error, self.plugin, hook)
        if result is None:
            raise PluginError(f"no plugin implements {hook} for this model; {self.plugin!r} should")
        return result

    def _typed(self, hook: str, kind: type[T], **arguments: object) -> T:
        result = self._call(hook, **arguments)
        if not isinstance(result, kind):
            raise PluginError(
                f"plugin {self.plugin!r}: {hook} returned {type(result).__name__}, it must return {kind.__name__}"
            )
        return result


def raise_as_plugin_error(error: Exception, plugin: str, hook: str) -> NoReturn:
    """Raise `error` as a `PluginError` that says where it came from; what is a `PorterError` passes as it is."""
    if isinstance(error, PorterError):
        raise error
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    raise PluginError(
        f"plugin {plugin!r}: {hook} raised {type(error).__name__}: {one_line(error)} ({place})"
    ) from error
