"""Errors of plugins: laid at the plugin and hook that made them, in one line with the place."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import NoReturn

from porter.errors import Missing, PluginError, PorterError, is_full_disk, one_line
from porter.hosting.lacking import advice

NOT_THE_PLACE = frozenset({"numpy", "onnx", "porter", "torch"})
"""Packages whose lines say less of an error than the line of the plugin that called them."""


class GivenFault(PluginError):
    """What a plugin gave to core's own part does not do there. `ModelHooks` names the plugin."""

    def __init__(self, hook: str, problem: str) -> None:
        super().__init__(f"{hook}{problem}")
        self.hook = hook
        """The hook that gave it."""
        self.problem = problem
        """What is wrong, and what was expected: ` gave …`, or `: …`."""


def described(error: BaseException) -> str:
    """An error on one line: its class, its text, and the innermost line of code that is not a library's."""
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    numbers = [line for _frame, line in traceback.walk_tb(error.__traceback__)]
    places = list(zip(frames, numbers, strict=True))
    own = [pair for pair in places if str(pair[0].f_globals.get("__name__")).partition(".")[0] not in NOT_THE_PLACE]
    text = f"{type(error).__name__}: {one_line(error)[:400]}"
    if not places:
        return text
    frame, number = (own or places)[-1]
    return f"{text} ({Path(frame.f_code.co_filename).name}:{number})"


def passes(error: BaseException) -> bool:
    """Whether an error is no plugin's mistake, or says itself whose: a `PorterError`, no memory, a full disk."""
    return isinstance(error, PorterError | MemoryError) or is_full_disk(error)


def raise_as_plugin_error(error: Exception | SystemExit, plugin: str, hook: str) -> NoReturn:
    """Raise `error` as a `PluginError` that says where it came from, or as `Missing` where a module is."""
    if passes(error):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name:
        raise Missing(f"plugin {plugin!r}: {hook} needs {advice(error.name, plugin)}") from error
    raise PluginError(f"plugin {plugin!r}: {hook} raised {described(error)}") from error
