"""Parts of plugins that are called as objects, not as hooks: whatever they raise names the plugin."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from porter.hosting.plugin_faults import raise_as_plugin_error

T = TypeVar("T")


def guarded(part: T, plugin: str, what: str, returned: Callable[[Any], Any] = lambda result: result) -> T:
    """`part`, with methods that raise `PluginError` in place of anything that is no `PorterError`.

    `what` says in the error whose method it was, and `returned` takes every result. It is for calling, no instance of
    the part's class.
    """
    return cast("T", _Guarded(part, plugin, what, returned))


class _Guarded:
    def __init__(self, part: object, plugin: str, what: str, returned: Callable[[Any], Any]) -> None:
        self._part, self._plugin, self._what, self._returned = part, plugin, what, returned

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if not inspect.isroutine(value):
            return value

        def call(*arguments: object, **named: object) -> Any:
            try:
                return self._returned(value(*arguments, **named))
            except (Exception, SystemExit) as error:
                raise_as_plugin_error(error, self._plugin, f"{name}() of {self._what}")

        vars(self)[name] = call
        return call
