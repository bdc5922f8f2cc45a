"""`PORTER_TRACE=1`: every call of a hook's implementation as one line on stderr, with its plugin and its time."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Generator
from typing import Any

from porter.files.outward import say
from porter.hosting.hooks import Function, HookSet, hook_of

VARIABLE = "PORTER_TRACE"


def traced(hooks: HookSet, plugin: str) -> HookSet:
    """The same hooks, each of which reports its calls. Where tracing is off nothing is wrapped, so nothing is paid."""
    return HookSet({name: _traced(f, hook_of(name, f), plugin) for name, f in hooks.functions().items()})


def _traced(function: Function, hook: str, plugin: str) -> Function:
    @functools.wraps(function)
    def call(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            answer = function(*arguments)
        except BaseException as error:
            _line(hook, plugin, started, f"raised {type(error).__name__}")
            raise
        _line(hook, plugin, started, "passed" if answer is None else "answered")
        return answer

    @functools.wraps(function)
    def wrap(*arguments: Any) -> Generator[Any, Any, Any]:
        started = time.perf_counter()
        try:
            answer = yield from function(*arguments)
        except BaseException as error:
            _line(hook, plugin, started, f"raised {type(error).__name__}")
            raise
        _line(hook, plugin, started, "wrapped the others")
        return answer

    return wrap if inspect.isgeneratorfunction(function) else call


def _line(hook: str, plugin: str, started: float, outcome: str) -> None:
    spent = 1000 * (time.perf_counter() - started)
    # One write, line end and all: hooks are called from several threads.
    say(f"trace: {hook} {plugin} {spent:.3f} ms {outcome}", error=True)
