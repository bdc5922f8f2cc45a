"""The factory of plugin managers: finds plugins by entry point, and keeps a broken one from hurting the rest."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import pluggy

from porter import hookspecs
from porter.errors import did_you_mean, one_line
from porter.files.outward import stdout_to
from porter.hosting import trace as tracing
from porter.hosting.hooks import PROJECT, HookFault, HookSet, hooks_of
from porter.hosting.info import PluginInfo
from porter.hosting.lacking import GROUP, advice
from porter.hosting.made_for import made_for, misfit
from porter.hosting.plugin_file import PluginFile, read_plugin_file
from porter.hosting.registry import Registry

DISABLE = "PORTER_DISABLE_PLUGINS"
CORE = "porter."
"""What the value of core's own entry points begins with."""

Found = tuple[PluginInfo, HookSet | None]
"""A plugin and its hooks, or the reason why it has none."""


def create_registry(
    plugins: Iterable[tuple[str, object]] | None = None,
    *,
    files: Iterable[str | PluginFile] = (),
    disabled: Iterable[str] | None = None,
    trace: bool | None = None,
) -> Registry:
    """A fresh manager, filled.

    Args:
        plugins: (name, plugin) pairs to add to core's own; None finds every installed one by entry point.
        files: plugins in one file, by path or as read, to add to these.
        disabled: names to leave out; None reads `PORTER_DISABLE_PLUGINS` (comma separated).
        trace: whether each hook call is a line on stderr; None reads `PORTER_TRACE` (1 is yes).

    Whatever a plugin prints while it is imported or asked goes to stderr: stdout is for results. Raises `BadInput` for
    a path that is no Python file; one that fails otherwise is listed with its reason, as an installed plugin is.
    """
    off = _named_in_environment() if disabled is None else tuple(disabled)
    report = os.environ.get(tracing.VARIABLE) == "1" if trace is None else trace
    handed = None if plugins is None else tuple(plugins)
    read = tuple(file if isinstance(file, PluginFile) else read_plugin_file(file) for file in files)
    with stdout_to(sys.stderr):
        return _filled(handed, read, off, trace=report)


def _filled(
    plugins: tuple[tuple[str, object], ...] | None,
    files: tuple[PluginFile, ...],
    off: tuple[str, ...],
    *,
    trace: bool,
) -> Registry:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    found = [_from_entry_point(point, off) for point in _entry_points(only_core=plugins is not None)]
    found += [_with_hooks(PluginInfo(name=n, distribution="", version="", state="active"), p) for n, p in plugins or ()]
    found += [_from_file(file, off) for file in files]
    found = list(_named_once(found))
    found += _unknown(off, [info.name for info, _hooks in found])
    if trace:
        found = [(info, hooks and tracing.traced(hooks, info.name)) for info, hooks in found]
    # pluggy asks who was registered last first: core's defaults last, a model's own plugin before those without one.
    for info, hooks in sorted(found, key=_offers_models):
        if hooks is not None:
            manager.register(hooks, name=info.name)
    return Registry(manager, tuple(info for info, _hooks in found), plugins, files)


def _named_in_environment() -> tuple[str, ...]:
    return tuple(name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip())


def _entry_points(*, only_core: bool) -> list[importlib.metadata.EntryPoint]:
    """Core's own first, then by name. One that is installed twice in the same way counts once."""
    points = importlib.metadata.entry_points(group=GROUP)
    unique = {(p.name, p.value): p for p in points if p.value.startswith(CORE) or not only_core}
    return sorted(unique.values(), key=lambda p: (not p.value.startswith(CORE), p.name, p.value))


def _from_entry_point(point: importlib.metadata.EntryPoint, off: tuple[str, ...]) -> Found:
    is_core = point.value.startswith(CORE)
    info = PluginInfo(
        name=point.name,
        distribution=(point.dist.name or "") if point.dist else "",
        version=(point.dist.version or "") if point.dist else "",
        state="active",
        made_for=None if is_core else made_for(point.dist),
    )
    if point.name not in off:
        if point.pattern.match(point.value) is None:
            return _failed(info, f"its entry point {one_line(point.value)!r} is neither MODULE nor MODULE:OBJECT")
        if problem := misfit(info.made_for or ""):
            return _failed(info, problem)
    return _imported(info, point.load, off)


def _from_file(file: PluginFile, off: tuple[str, ...]) -> Found:
    info = PluginInfo(
        name=file.name, distribution="", version="", state="active", file=file.path, source_sha256=file.sha256
    )
    return _imported(info, file.load, off)


def _imported(info: PluginInfo, load: Callable[[], object], off: tuple[str, ...]) -> Found:
    if info.name in off:
        return replace(info, state="disabled", reason=f"named in {DISABLE}"), None
    try:
        plugin = load()
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        needed = advice(error.name or "", info.name) if error.name else one_line(error)
        return _failed(info, f"import failed: needs {needed}")
    except BaseException as error:  # a plugin can raise anything while it is imported
        return _failed(info, f"import failed: {type(error).__name__}: {one_line(error)}")
    return _with_hooks(info, plugin)


def _with_hooks(info: PluginInfo, plugin: object) -> Found:
    try:
        hooks = hooks_of(plugin)
    except HookFault as fault:
        return _failed(info, one_line(fault))
    except Exception as error:  # an object can raise anything when it is looked at
        return _failed(info, f"cannot be inspected: {type(error).__name__}: {one_line(error)}")
    reason = "" if hooks.names() else "implements no hook. Mark its functions with @porter.hookimpl"
    return replace(info, hooks=hooks.names(), reason=reason), hooks


def _named_once(found: Iterable[Found]) -> Iterator[Found]:
    """Of several plugins with one name the first that works; the others have failed, since no option could tell them
    apart."""
    first: dict[str, PluginInfo] = {}
    for info, hooks in found:
        if hooks is not None and info.name in first:
            holder = first[info.name].distribution or first[info.name].file or "a plugin given by hand"
            yield _failed(info, f"the name {info.name!r} is used by {holder}")
            continue
        if hooks is not None:
            first[info.name] = info
        yield info, hooks


def _unknown(off: Iterable[str], known: list[str]) -> list[Found]:
    """A row for each name in the variable that is no plugin's: it may be misspelt, and its plugin still on."""
    return [
        (
            PluginInfo(
                name=one_line(name),
                distribution="",
                version="",
                state="disabled",
                reason=f"named in {DISABLE}, but no plugin has this name{did_you_mean(name, known)}",
            ),
            None,
        )
        for name in off
        if name not in known
    ]


def _failed(info: PluginInfo, reason: str) -> Found:
    return replace(info, state="failed", reason=reason, hooks=()), None


def _offers_models(found: Found) -> bool:
    return "porter_models" in found[0].hooks
