"""The hook functions of a plugin, checked one by one before pluggy sees them.

pluggy alone would pass over a function without the mark, never pass an argument that has a default, and answer a
wrong name or argument with a paragraph. Each is one line here, with the nearest right name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any

from porter import hookspecs
from porter.errors import did_you_mean

PROJECT = "porter"
PREFIX = "porter_"

Function = Callable[..., Any]


class HookFault(Exception):
    """A plugin implements a hook wrongly. The text is one line, and begins with the hook's name."""


class HookSet:
    """The hook functions of one plugin, as attributes. This is what is registered: pluggy then never reads any other
    attribute of the plugin, nor compares or hashes it."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        vars(self).update(functions)

    def functions(self) -> dict[str, Function]:
        """The functions by attribute."""
        return dict(vars(self))

    def names(self) -> tuple[str, ...]:
        """The hooks that they implement, sorted."""
        return tuple(sorted({hook_of(name, function) for name, function in vars(self).items()}))


def hook_names() -> tuple[str, ...]:
    """The names of all hooks, in the order of hookspecs.py."""
    return tuple(n for n, v in vars(hookspecs).items() if n.startswith(PREFIX) and inspect.isfunction(v))


def hook_of(name: str, function: Function) -> str:
    """The hook that a marked function implements: its own name, or the mark's `specname`."""
    return str(_mark(function).get("specname") or name)


def hooks_of(plugin: object) -> HookSet:
    """The hook functions of a module or object. Raises `HookFault` at the first that is wrong."""
    functions: dict[str, Function] = {}
    for name, value in _candidates(plugin):
        if not callable(value) or not isinstance(value, FunctionType | MethodType):
            raise HookFault(f"{name}: a {type(value).__name__}, must be a function")
        mark = _mark(value)
        hook = hook_of(name, value)
        if hook in hook_names():
            _check(hook, value, mark, is_class=inspect.isclass(plugin))
            functions[name] = value
        elif not mark.get("optionalhook"):  # that mark is for a hook that only a newer porter may have
            raise HookFault(f"{hook}: no such hook{did_you_mean(hook, hook_names())}")
    return HookSet(functions)


def _candidates(plugin: object) -> Iterator[tuple[str, Any]]:
    """Whatever is a hook by mark, by name, or by a name like one. Properties are not run."""
    for name in dir(plugin):
        static = inspect.getattr_static(plugin, name, None)
        if isinstance(static, FunctionType | MethodType | staticmethod | classmethod):
            function = getattr(plugin, name)
            is_spec = hasattr(function, f"{PROJECT}_spec")  # imported from hookspecs.py
            if not is_spec and (name.startswith(PREFIX) or _mark(function)):
                yield name, function
        elif name in hook_names():
            yield name, static


def _mark(function: object) -> Mapping[str, Any]:
    """What `@porter.hookimpl` left on a function; empty where it is not marked."""
    mark = getattr(function, f"{PROJECT}_impl", None)
    return mark if isinstance(mark, Mapping) else {}


def _check(hook: str, function: Function, mark: Mapping[str, Any], *, is_class: bool) -> None:
    if not mark:
        raise HookFault(f"{hook}: not marked with @porter.hookimpl")
    spec = getattr(hookspecs, hook)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise HookFault(f"{hook}: an async function, which porter does not await. Use a plain one")
    if mark.get("wrapper") or mark.get("hookwrapper"):
        if not _mark_of_spec(spec).get("firstresult"):
            raise HookFault(f"{hook}: cannot be wrapped: porter asks each plugin separately")
        if not inspect.isgeneratorfunction(function) or (mark.get("wrapper") and mark.get("hookwrapper")):
            raise HookFault(f"{hook}: a wrapper is marked wrapper=True alone, and yields once")
    elif inspect.isgeneratorfunction(function):
        raise HookFault(f"{hook}: yields, which only a wrapper does (wrapper=True). Return the answer")
    offered = list(inspect.signature(spec).parameters)
    for parameter in inspect.signature(function).parameters.values():
        if is_class and parameter.name == "self":
            raise HookFault(f"{hook}: the plugin is a class; the entry point must name a module or an instance")
        _check_parameter(hook, parameter, offered)


def _check_parameter(hook: str, parameter: inspect.Parameter, offered: list[str]) -> None:
    takes = f"The hook takes {', '.join(offered) or 'none'}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise HookFault(f"{hook}: {parameter} is not filled. Name the arguments. {takes}")
    plain = parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
    if parameter.name in offered and not plain:
        raise HookFault(f"{hook}: argument {parameter.name!r} has a default or is keyword-only, so it is not filled")
    if parameter.name not in offered and parameter.default is parameter.empty:
        raise HookFault(f"{hook}: no argument {parameter.name!r}{did_you_mean(parameter.name, offered) or '.'} {takes}")


def _mark_of_spec(spec: Function) -> Mapping[str, Any]:
    mark: Mapping[str, Any] = getattr(spec, f"{PROJECT}_spec")
    return mark
