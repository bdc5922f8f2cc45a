"""Where images are answered, from the options of a command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from porter.errors import BadInput
from porter.pipeline.evaluation.executors.base import EvaluationExecutor
from porter.pipeline.evaluation.executors.local import Local
from porter.runfolder.option_table import HOW

EXECUTION = tuple(row.field for row in HOW)
"""Names of the options."""


def executor_from(given: Mapping[str, Any]) -> tuple[EvaluationExecutor, dict[str, Any]]:
    """The executor, and the options that are not about it.

    Raises `Missing` where it cannot be used on this machine, and `BadInput` where an option does not go with it.
    """
    rest = {name: value for name, value in given.items() if name not in EXECUTION}
    settings = {name: given.get(name) for name in EXECUTION[1:]}
    if given.get("executor") != "ray":
        for name, value in settings.items():
            if value is not None:
                raise BadInput(f"--{name.replace('_', '-')} needs --executor ray")
        return Local(), rest
    from porter.pipeline.evaluation.executors.ray import Ray

    executor = Ray(settings["ray_address"], settings["workers"], settings["worker_resources"])
    executor.require()
    return executor, rest
