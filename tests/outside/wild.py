"""A runtime in a worker that misbehaves when it is told to; its script needs numpy alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from porter import Runtime, RuntimeOption, WorkerEnvironment, WorkerRuntime, hookimpl

MOODS = ("calm", "kill", "sleep", "memory", "raise", "exit", "chatter")


class WildRuntime(WorkerRuntime):
    """The strongest channel of an image, in numpy: what the tiny model computes."""

    name = "wild"
    environment = WorkerEnvironment(python=sys.executable)
    script = Path(__file__).with_name("wild_inside.py")
    package = "numpy"
    options = (
        RuntimeOption(name="mood", default="calm", help="What it does.", choices=MOODS),
        RuntimeOption(name="at", default="run", help="In which function.", choices=("build", "open", "run")),
        RuntimeOption(name="nth", default=1, help="In which call of one process."),
        RuntimeOption(name="unless", default="", help="A file that tells it to be calm."),
    )


class WildPlugin:
    """The plugin, with a runtime of its own for each test."""

    def __init__(self, runtime: Runtime | None = None) -> None:
        self.runtime = runtime or WildRuntime()

    @hookimpl
    def porter_runtimes(self) -> Sequence[Runtime]:
        return [self.runtime]
