"""Where images are answered, from the options of a command."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import click

from porter.errors import BadInput
from porter.pipeline.evaluation.executors.base import Executor
from porter.pipeline.evaluation.executors.local import Local

EXECUTION = ("executor", "ray_address", "workers", "worker_resources")
"""Names of the options. They say how the work is done, not what: they are no part of a `RunRequest`."""


# Generic only in newer versions of click.
class Resources(click.ParamType):  # type: ignore[type-arg]
    """Amounts by name, separated by commas."""

    name = "NAME=N,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, float]:
        if isinstance(value, dict):
            return value
        found: dict[str, float] = {}
        for part in str(value).split(","):
            match = re.fullmatch(r"([A-Za-z_][A-Za-z0-9_.:-]*)=([0-9]+(?:\.[0-9]+)?)", part.strip(), re.ASCII)
            if match is None or not math.isfinite(float(match[2])) or match[1] in found:
                self.fail(f"{value!r} is no list of resources such as CPU=4,GPU=1", param, ctx)
            found[match[1]] = float(match[2])
        return found


def executor_from(given: Mapping[str, Any]) -> tuple[Executor, dict[str, Any]]:
    """The executor, and the options that are not about it.

    Raises `Missing` where it cannot be used on this machine, and `BadInput` where an option does not go with it.
    """
    rest = {name: value for name, value in given.items() if name not in EXECUTION}
    settings = {name: given.get(name) for name in EXECUTION[1:]}
    if given.get("executor") != "ray":
        for name, value in settings.items():
            if value is not None:
                raise BadInput(f"--{name.replace('_', '-')} goes with --executor ray only")
        return Local(), rest
    from porter.pipeline.evaluation.executors.ray import Ray

    executor = Ray(settings["ray_address"], settings["workers"], settings["worker_resources"])
    executor.require()
    return executor, rest
