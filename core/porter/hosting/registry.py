"""What the installed plugins offer, and the hooks of one model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from porter.contracts.form import Form
from porter.contracts.requests import ModelOffer
from porter.contracts.runtime import Runtime, RuntimeStatus
from porter.contracts.task import Task
from porter.errors import BadInput, Missing, PorterError, did_you_mean, one_line
from porter.hosting.guard import guarded
from porter.hosting.hooks import HookSet
from porter.hosting.info import PluginInfo
from porter.hosting.model_hooks import HOOKS, ModelHooks
from porter.hosting.offers import OfferFault, Offers, ask
from porter.hosting.plugin_file import PluginFile
from porter.hosting.source import source_digest
from porter.records.record import PluginUse

T = TypeVar("T")
CORE = "porter-core"
"""The distribution that core's own plugins come with."""
MOST_REASONS, LONGEST_REASON = 3, 240
"""Failed plugins that one error line explains, and characters of each reason."""


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

    def forms(self) -> dict[str, list[tuple[Form, str]]]:
        """Every offered form of the documents by name."""
        return self._offers.forms

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
        return offer, ModelHooks(self.manager, plugin, self._offers, self.switched_off())

    def delivered(self, plugin: str, others: Collection[str]) -> ModelHooks:
        """The hooks as a delivered model has them: these plugins answer, and core. `plugin`, the model's own, is named
        where something goes wrong, whether it is one of them or not."""
        kept = {*others, *(info.name for info in self.infos if info.distribution == CORE)}
        removed = [name for name, hooks in self.manager.list_name_plugin() if hooks is not None and name not in kept]
        return ModelHooks(self.manager, plugin, self._offers, self.switched_off(), removed)

    def hooks_named(self, plugin: str) -> tuple[str, ...]:
        """The hooks that a plugin which works implements; none where there is no such plugin."""
        found = next((info for info in self.infos if info.name == plugin and info.state == "active"), None)
        return () if found is None else found.hooks

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

    def form(self, name: str) -> Form:
        """The form of that name, whose errors name its plugin. Raises `BadInput` where no plugin offers it."""
        form, plugin = self._one("form", name, self.forms(), BadInput)
        return guarded(form, plugin, f"form {name!r}")

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
            if set(HOOKS).intersection(info.hooks)
        )

    def provider_of(self, kind: str, name: str) -> str:
        """Name of the plugin behind a `runtime` or a `task`. Raises `Missing` where no plugin offers it."""
        offers: Mapping[str, list[tuple[Any, str]]] = self.runtimes() if kind == "runtime" else self.tasks()
        return self._one(kind, name, offers, Missing)[1]

    def templates(self, model: str, task: str, runtimes: Iterable[str]) -> dict[str, Path]:
        """Folders of templates of the documents, by the name of the plugin that ships them, the first to look in first:
        that of the model, of the task, of the runtimes. What is not installed, or ships none, is left out."""
        found: dict[str, Path] = {}
        offers: list[Sequence[tuple[ModelOffer | Task | Runtime, str]]]
        offers = [self.models().get(model, ()), self.tasks().get(task, ())]
        offers += [self.runtimes().get(name, ()) for name in runtimes]
        for offer, plugin in (one for same in offers for one in same):
            if offer.templates is not None:
                found.setdefault(plugin, offer.templates)
        return found

    def switched_off(self) -> str:
        """The disabled plugins, in words that end an error which one of them may be behind; empty where none is."""
        names = [info.name for info in self.infos if info.state == "disabled"]
        return f" (disabled by PORTER_DISABLE_PLUGINS: {', '.join(names)})" if names else ""

    def _one(
        self, kind: str, name: str, offers: Mapping[str, Sequence[tuple[T, str]]], error: type[PorterError]
    ) -> tuple[T, str]:
        found = offers.get(name, ())
        if len(found) == 1:
            return found[0]
        if found:
            plugins = " and ".join(repr(plugin) for _, plugin in found)
            raise BadInput(
                f"{kind} {name!r} is offered by the plugins {plugins}. Disable one with PORTER_DISABLE_PLUGINS"
            )
        listed = ", ".join(sorted(offers)) or "none"
        raise error(
            f"unknown {kind} {one_line(name)!r}{did_you_mean(name, offers) or '.'} "
            f"Available: {listed}{self._failed(name)}{self.switched_off()}"
        )

    def _failed(self, wanted: str) -> str:
        """The failed plugins with their reasons, in words that end an error; the likeliest for `wanted` first."""

        def is_likely(info: PluginInfo) -> bool:
            names = {_plain(info.name), _plain(info.distribution).removeprefix("porter")}
            return _plain(wanted) in names

        failed = [info for info in self.infos if info.state == "failed"]
        failed.sort(key=lambda info: not is_likely(info))
        shown = [
            f"{one_line(info.name)}: {info.reason[:LONGEST_REASON]}{'…' * (len(info.reason) > LONGEST_REASON)}"
            for info in failed[:MOST_REASONS]
        ]
        if len(failed) > len(shown):
            shown.append(f"{len(failed) - len(shown)} more, see `porter plugins`")
        return f" (plugins that failed to load: {'; '.join(shown)})" if shown else ""


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


def _plain(name: str) -> str:
    """A name as people may spell it: case, `-`, `_` and `.` make no difference."""
    return re.sub(r"[-_.]", "", name).lower()
