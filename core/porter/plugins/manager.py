"""The factory of plugin managers: finds plugins by entry point, and keeps a broken one from hurting the rest."""

from __future__ import annotations

import importlib.metadata
import inspect
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pluggy

from porter import hookspecs
from porter.errors import did_you_mean, one_line
from porter.plugins.registry import Registry

PROJECT = "porter"
GROUP = "porter"


@dataclass(frozen=True, kw_only=True)
class PluginInfo:
    """A plugin as `porter plugins` shows it."""

    name: str
    distribution: str
    version: str
    state: str
    """`active`, `failed` or `disabled`."""
    reason: str = ""
    """Why it failed or who disabled it."""
    hooks: tuple[str, ...] = ()


def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order of hookspecs.py."""
    return tuple(n for n, v in vars(hookspecs).items() if n.startswith("porter_") and inspect.isfunction(v))


def create_registry(
    plugins: Iterable[tuple[str, object]] | None = None, *, disabled: Iterable[str] | None = None
) -> Registry:
    """A fresh manager, filled.

    Args:
        plugins: (name, plugin) pairs to add to core's own; None finds every installed one by entry point.
        disabled: names to leave out; None reads `PORTER_DISABLE_PLUGINS` (comma separated).
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    if disabled is None:
        disabled = [name.strip() for name in os.environ.get("PORTER_DISABLE_PLUGINS", "").split(",") if name.strip()]
    off = frozenset(disabled)
    infos = [_from_entry_point(manager, point, off, only_core=plugins is not None) for point in _entry_points()]
    for name, plugin in plugins or ():
        infos.append(_register(manager, PluginInfo(name=name, distribution="", version="", state="active"), plugin))
    return Registry(manager, tuple(info for info in infos if info is not None))


def _entry_points() -> list[importlib.metadata.EntryPoint]:
    # Core's own first, so that plugins registered later are asked earlier (pluggy: last in, first out).
    points = importlib.metadata.entry_points(group=GROUP)
    unique = {(p.name, p.value): p for p in points}
    return sorted(unique.values(), key=lambda p: (not p.value.startswith("porter."), p.name))


def _from_entry_point(
    manager: pluggy.PluginManager, point: importlib.metadata.EntryPoint, off: frozenset[str], *, only_core: bool
) -> PluginInfo | None:
    if only_core and not point.value.startswith("porter."):
        return None
    info = PluginInfo(
        name=point.name,
        distribution=point.dist.name if point.dist else "",
        version=point.dist.version if point.dist else "",
        state="active",
    )
    if point.name in off:
        return replace(info, state="disabled", reason="named in PORTER_DISABLE_PLUGINS")
    try:
        plugin = point.load()
    except Exception as error:  # a plugin can raise anything while it is imported
        return replace(info, state="failed", reason=f"import failed: {type(error).__name__}: {one_line(error)}")
    return _register(manager, info, plugin)


def _register(manager: pluggy.PluginManager, info: PluginInfo, plugin: object) -> PluginInfo:
    problem = _problem(plugin)
    if problem:
        return replace(info, state="failed", reason=problem)
    try:
        manager.register(plugin, name=info.name)
    except (pluggy.PluginValidationError, ValueError) as error:
        if manager.get_plugin(info.name) is plugin:
            manager.unregister(plugin)
        return replace(info, state="failed", reason=one_line(error))
    hooks = sorted(caller.name for caller in manager.get_hookcallers(plugin) or ())
    return replace(info, hooks=tuple(hooks))


def _problem(plugin: object) -> str:
    """What is wrong with a plugin's hooks, or an empty string."""
    known = hook_names()
    for name, function in _hook_functions(plugin):
        marked = getattr(function, f"{PROJECT}_impl", None) is not None
        if name not in known:
            if marked or name.startswith("porter_"):
                return f"{name}: no such hook{did_you_mean(name, known)}"
            continue
        if not marked:
            return f"{name}: not marked with @porter.hookimpl"
        wanted = list(inspect.signature(function).parameters)
        offered = list(inspect.signature(getattr(hookspecs, name)).parameters)
        for argument in wanted:
            if argument not in offered:
                return f"{name}: takes no argument {argument!r}{did_you_mean(argument, offered)}"
    return ""


def _hook_functions(plugin: object) -> list[tuple[str, Any]]:
    """Functions that are hooks by mark or by name; a module's imports from core do not count."""
    found = []
    for name, value in inspect.getmembers(plugin, inspect.isroutine):
        if isinstance(plugin, ModuleType) and getattr(value, "__module__", None) == hookspecs.__name__:
            continue
        if name.startswith("porter_") or getattr(value, f"{PROJECT}_impl", None) is not None:
            found.append((name, value))
    return found
